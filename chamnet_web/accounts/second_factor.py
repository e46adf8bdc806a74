"""Time-based one-time passwords (RFC 6238) beside the password, and codes for when the phone is lost."""

from __future__ import annotations

import secrets
from typing import Any

import segno
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from chamnet_web.accounts.models import User

PENDING, PENDING_SECONDS = "second_factor", 300
RECOVERY_CODES = 8


def has_factor(user: Any) -> bool:
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def remember(request: HttpRequest, user: User, backend: str) -> None:
    """Keeps who gave the right password, for the page that asks for the second factor; nobody is in yet."""
    request.session[PENDING] = {"user": user.pk, "backend": backend, "at": timezone.now().timestamp()}


def remembered(request: HttpRequest) -> tuple[User, str] | None:
    """Who gave the right password a moment ago."""
    kept = request.session.get(PENDING)
    if kept is None or timezone.now().timestamp() - kept["at"] > PENDING_SECONDS:
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True).first()
    return (user, kept["backend"]) if user else None


def forget(request: HttpRequest) -> None:
    request.session.pop(PENDING, None)


def is_right(user: User, code: str) -> bool:
    """Whether the code is the phone's now, or an unused recovery code. Wrong ones make later tries wait."""
    with transaction.atomic():
        devices = [*TOTPDevice.objects.select_for_update().filter(user=user, confirmed=True),
                   *StaticDevice.objects.select_for_update().filter(user=user, confirmed=True)]  # fmt: skip
        return any(device.verify_is_allowed()[0] and device.verify_token(code) for device in devices)


def unconfirmed(user: User) -> TOTPDevice:
    """The secret that the person is about to take into their phone."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # two pages opened at once show the same
        known = TOTPDevice.objects.filter(user=user, confirmed=False).order_by("pk").first()
        return known or TOTPDevice.objects.create(user=user, confirmed=False, name="phone")


def picture(device: TOTPDevice) -> str:
    """The secret as a QR code: an SVG image as a data address."""
    found: str = segno.make(device.config_url, error="m").svg_data_uri(scale=5, border=2, light="#fff")
    return found


def confirm(device: TOTPDevice, code: str) -> list[str] | None:
    """Turns the second factor on; its recovery codes, which are known only now. None for a wrong code."""
    with transaction.atomic():
        if not device.verify_is_allowed()[0] or not device.verify_token(code):
            return None
        TOTPDevice.objects.filter(user=device.user).exclude(pk=device.pk).delete()
        device.confirmed = True
        device.save()
        StaticDevice.objects.filter(user=device.user).delete()
        spare = StaticDevice.objects.create(user=device.user, name="recovery codes")
        codes = [secrets.token_hex(5) for _ in range(RECOVERY_CODES)]
        StaticToken.objects.bulk_create(StaticToken(device=spare, token=code) for code in codes)
    return codes


def turn_off(user: User) -> None:
    with transaction.atomic():
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
