"""The account model, our own from the first migration so that it can grow."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person who can sign in. `password_is_one_time` holds until they choose a password of their own."""

    password_is_one_time = models.BooleanField(default=False)
