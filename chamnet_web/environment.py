"""Typed reads of environment variables that name the variable when its value makes no sense."""

from __future__ import annotations

import importlib.util
import logging
import secrets
import zoneinfo
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from devices.runs.addresses import address

env = environ.Env()


def whole_number(name: str, default: int, *, at_least: int = 1, at_most: int | None = None) -> int:
    """The variable as a whole number within bounds.

    Raises ImproperlyConfigured, naming the variable, for anything else.
    """
    text = env.str(name, str(default))
    bounds = f"from {at_least} to {at_most}" if at_most is not None else f"of at least {at_least}"
    complaint = f"{name}={text!r} is not a whole number {bounds}."
    try:
        number = int(text)
    except ValueError:
        raise ImproperlyConfigured(complaint) from None
    if number < at_least or (at_most is not None and number > at_most):
        raise ImproperlyConfigured(complaint)
    return number


def switch(name: str, default: bool) -> bool:
    """The variable as yes or no. Raises ImproperlyConfigured for a word that is neither."""
    text = env.str(name, "yes" if default else "no").lower()
    if text in {"1", "yes", "true", "on"}:
        return True
    if text in {"0", "no", "false", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={text!r} is neither yes nor no.")


def database(data_dir: Path) -> dict[str, Any]:
    """Django's entry for DATABASE_URL, or for SQLite beside the data.

    Raises ImproperlyConfigured without repeating the address: it may hold a password.
    """
    complaint = "DATABASE_URL is no database address such as postgres://user:password@host:5432/name."
    try:
        found: dict[str, Any] = env.db("DATABASE_URL", default=f"sqlite:///{data_dir / 'chamnet.sqlite3'}")
    except (KeyError, ValueError, ImproperlyConfigured):
        raise ImproperlyConfigured(complaint) from None
    if not found.get("ENGINE"):
        raise ImproperlyConfigured(complaint)
    return found


def storage() -> dict[str, Any]:
    """Django's entry for files: below MEDIA_ROOT, or in the S3-compatible bucket of STORAGE_URL.

    Raises ImproperlyConfigured for another address, and where django-storages is not installed.
    """
    text = str(env.str("STORAGE_URL", ""))
    if not text:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    address = urlsplit(text)
    if address.scheme != "s3" or not address.hostname or address.password:
        raise ImproperlyConfigured(
            "STORAGE_URL is no address such as s3://bucket/folder?endpoint_url=https://host&region_name=eu. "
            "Keys go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    if importlib.util.find_spec("storages") is None:
        raise ImproperlyConfigured("STORAGE_URL needs more packages: pip install -r requirements-s3.txt")
    chosen = dict(parse_qsl(address.query))
    if unknown := sorted(set(chosen) - {"endpoint_url", "region_name"}):
        said = ", ".join(unknown)
        raise ImproperlyConfigured(f"STORAGE_URL: {said} is neither endpoint_url nor region_name.")
    options = {"bucket_name": address.hostname, "location": address.path.strip("/"), "file_overwrite": False}
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options | chosen}


def redis_url() -> str:
    """REDIS_URL; empty where the installation runs a server of its own."""
    text = str(env.str("REDIS_URL", ""))
    if text and not text.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured("REDIS_URL does not begin with redis://, rediss:// or unix://.")
    return text


def email() -> dict[str, Any]:
    """Django's settings of the mail server that EMAIL_URL names; none where it is empty.

    Raises ImproperlyConfigured without repeating the address: it may hold a password.
    """
    text = str(env.str("EMAIL_URL", ""))
    if not text:
        return {}
    try:
        found = env.email_url_config(text)
    except (ValueError, ImproperlyConfigured):
        raise ImproperlyConfigured(
            "EMAIL_URL is no mail server such as smtp+tls://user:password@mail.example.com:587."
        ) from None
    return {name: value for name, value in found.items() if value is not None}


def public_url(host: str, port: int) -> str:
    """PUBLIC_URL, where people reach the installation; else where it listens, as a browser here says it."""
    text = str(env.str("PUBLIC_URL", "")).rstrip("/")
    if not text:
        return address(host, port).rstrip("/")
    if not text.startswith(("http://", "https://")):
        raise ImproperlyConfigured(f"PUBLIC_URL={text!r} does not begin with http:// or https://.")
    return text


def time_zone() -> str:
    name = str(env.str("TIME_ZONE", "UTC"))
    if name not in zoneinfo.available_timezones():
        raise ImproperlyConfigured(f"TIME_ZONE={name!r} is no time zone such as Europe/Berlin.")
    return name


def log_level() -> str:
    name = str(env.str("LOG_LEVEL", "INFO"))
    if name not in logging.getLevelNamesMapping():
        raise ImproperlyConfigured(f"LOG_LEVEL={name!r} is none of DEBUG, INFO, WARNING, ERROR.")
    return name


def log_format() -> str:
    name = str(env.str("LOG_FORMAT", "plain"))
    if name not in {"plain", "json"}:
        raise ImproperlyConfigured(f"LOG_FORMAT={name!r} is neither plain nor json.")
    return name


def secret_key(data_dir: Path) -> str:
    """SECRET_KEY from the environment, or one made at first start and kept beside the data."""
    given = str(env.str("SECRET_KEY", ""))
    if given:
        if len(given) < 32:
            raise ImproperlyConfigured("SECRET_KEY is shorter than 32 characters.")
        return given
    path = data_dir / "secret_key"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        fresh = data_dir / f"secret_key.{secrets.token_hex(4)}"
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(48))
        try:
            path.hardlink_to(fresh)
        except FileExistsError:
            pass  # another process of this installation was first
        finally:
            fresh.unlink()
    return path.read_text()
