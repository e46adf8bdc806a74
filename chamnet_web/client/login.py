"""Where the command keeps the address of its server and its token."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Login:
    """A server and the token that opens it."""

    url: str
    token: str


class NotLoggedInError(Exception):
    """Neither the environment nor a file says where the server is."""


def place() -> Path:
    """The file, in the person's folder of settings."""
    root = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(root) / "chamnet" / "login.json"


def remember(login: Login) -> Path:
    """Writes the file; only its owner can read it."""
    path = place()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_suffix(".part")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(login), file)
    partial.replace(path)
    return path


def recall() -> Login:
    """CHAMNET_URL and CHAMNET_TOKEN where both are set, else the file: no server gets the token of another.

    Raises NotLoggedInError.
    """
    url, token = os.environ.get("CHAMNET_URL"), os.environ.get("CHAMNET_TOKEN")
    if url and token:
        return Login(url, token)
    if url or token:
        given, missing = ("CHAMNET_URL", "CHAMNET_TOKEN") if url else ("CHAMNET_TOKEN", "CHAMNET_URL")
        raise NotLoggedInError(
            f"{given} is set and {missing} is not: set both, or neither to use the server you logged in to."
        )
    try:
        stored = json.loads(place().read_text())
        return Login(str(stored["url"]), str(stored["token"]))
    except FileNotFoundError:
        raise NotLoggedInError("Log in first: chamnet login https://your-server") from None
    except (ValueError, KeyError, TypeError):
        raise NotLoggedInError(f"{place()} cannot be read. Log in again.") from None
