from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out


class AccountsConfig(AppConfig):
    """Who may sign in, and what they may see."""

    name = "chamnet_web.accounts"
    label = "accounts"

    def ready(self) -> None:
        from chamnet_web.accounts.audit import tell_session  # models are there only now

        def signed_in(user: Any, **_: Any) -> None:
            tell_session(user, "signed-in")

        def signed_out(user: Any, **_: Any) -> None:
            if user is not None:
                tell_session(user, "signed-out")

        user_logged_in.connect(signed_in, weak=False, dispatch_uid="audit")
        user_logged_out.connect(signed_out, weak=False, dispatch_uid="audit")
