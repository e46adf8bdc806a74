"""What Django says of the settings of an installation that others can reach."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.serving import ROOT


def test_django_has_nothing_to_say_against_an_installation_behind_tls(tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path), "BEHIND_TLS": "yes", "ALLOWED_HOSTS": "chamnet.example"}
    kept = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    said = subprocess.run(command, cwd=ROOT, env=kept | settings, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
