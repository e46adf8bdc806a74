"""Creates the first account of a fresh installation."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Create the first account and print its one-time password. Does nothing when an account exists."

    def handle(self, *args: Any, **options: Any) -> None:
        user_model = get_user_model()
        if user_model.objects.exists():
            return
        password = secrets.token_urlsafe(12)
        user_model.objects.create_superuser("admin", password=password, password_is_one_time=True)
        self.stdout.write(
            f"First account: user name admin, one-time password {password}\n"
            "You choose your own at the first sign-in; `manage.py changepassword admin` sets a new one."
        )
