from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who may sign in."""

    name = "chamnet_web.accounts"
    label = "accounts"
