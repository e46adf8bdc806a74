"""What the page about operations and its examples name exists under that name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from devices.runs.figures import exposition
from devices.runs.management.commands.serve import PARTS
from tests.test_environment import variables_listed

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "operations.md").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DOCS / "deploy" / "compose.yaml").read_text())
# Of the Compose file's own and of other programs.
FOREIGN = {"FORWARDED_ALLOW_IPS", "POSTGRES_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def commands() -> dict[str, list[str]]:
    """Every command line of `manage.py` in the examples, by where it is."""
    found = {
        path.name: re.findall(r"^ExecStart=\S+ manage\.py (.*)$", path.read_text(), re.M)[0].split()
        for path in sorted((DOCS / "deploy" / "systemd").glob("*.service"))
    }
    for name, service in COMPOSE["services"].items():
        command = service.get("command", [])
        if command[:2] == ["python", "manage.py"]:
            found[name] = command[2:]
    return found


def test_every_part_is_started_by_a_unit_and_by_a_service() -> None:
    parts = [line[line.index("--only") + 1] for line in commands().values()]
    assert sorted(parts) == sorted([*PARTS, *PARTS])
    assert {line[0] for line in commands().values()} == {"serve"}


def test_settings_and_commands_that_are_named_exist() -> None:
    examples = [path.read_text() for path in (DOCS / "deploy").rglob("*") if path.is_file()]
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)", PAGE)) | set(COMPOSE["x-chamnet"]["environment"])
    named |= {name for text in examples for name in re.findall(r"^#?Environment=([A-Z_]+)", text, re.M)}
    assert named - FOREIGN <= set(variables_listed())
    assert set(re.findall(r"manage\.py (\w+)", PAGE)) <= set(get_commands())


@pytest.mark.django_db
def test_figures_that_are_named_exist_and_none_is_forgotten() -> None:
    found = set(re.findall(r"^# HELP (\w+)", exposition()[0].decode(), re.M))
    assert found == set(re.findall(r"`(chamnet_\w+)", PAGE)) | set(re.findall(r", `(chamnet_\w+)", PAGE))


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    missing = [link for link in links if not (DOCS / link).exists()]
    assert missing == []


def test_the_proxy_hides_the_figures_and_passes_sockets_on() -> None:
    proxy = (DOCS / "deploy" / "nginx.conf").read_text()
    assert "location = /metrics { return 404; }" in proxy
    assert "proxy_set_header Upgrade" in proxy
