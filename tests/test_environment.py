"""The list of settings is complete, and nonsense is refused by name."""

from __future__ import annotations

import ast
import re
import stat
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from chamnet_web import environment

ROOT = Path(__file__).resolve().parent.parent
READERS = {"str", "list", "db", "bool", "int", "whole_number", "switch"}


def variables_read() -> dict[str, ast.expr | None]:
    """Each variable that the settings read, with the expression of its default."""
    found: dict[str, ast.expr | None] = {}
    for name in ("settings.py", "environment.py"):
        for node in ast.walk(ast.parse((ROOT / "chamnet_web" / name).read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            if called in READERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
                keyword = next((word.value for word in node.keywords if word.arg == "default"), None)
                found[first.value] = node.args[1] if len(node.args) > 1 else keyword
    return found


def variables_listed() -> dict[str, str]:
    """Each variable of .env.example with the default shown there."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    return {m[1]: m[2] for line in lines if (m := re.fullmatch(r"#([A-Z_]+)=(.*)", line))}


def as_written(default: ast.expr | None) -> str | None:
    """A constant default as .env would say it; None for one that is worked out at the start."""
    if isinstance(default, ast.List):
        return ",".join(str(item.value) for item in default.elts if isinstance(item, ast.Constant))
    if not isinstance(default, ast.Constant):
        return None
    return (
        {True: "yes", False: "no"}.get(default.value, "")
        if isinstance(default.value, bool)
        else str(default.value)
    )


def test_the_example_lists_exactly_the_variables_that_the_settings_read() -> None:
    assert sorted(variables_listed()) == sorted(variables_read())


def test_the_example_shows_the_defaults_that_the_settings_have() -> None:
    constant = {
        name: text for name, node in variables_read().items() if (text := as_written(node)) is not None
    }
    assert {name: variables_listed()[name] for name in constant} == constant


def test_copying_the_example_unchanged_changes_nothing() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert all(line == "" or line.startswith("#") for line in lines)


@pytest.mark.parametrize("nonsense", ["abc", "", "1.5", "0", "-1", "65536"])
def test_a_number_out_of_bounds_or_none_at_all_is_refused_by_name(
    nonsense: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", nonsense)
    with pytest.raises(
        ImproperlyConfigured, match=f"PORT='{nonsense}' is not a whole number from 1 to 65535"
    ):
        environment.whole_number("PORT", 8000, at_most=65535)


def test_a_word_that_is_neither_yes_nor_no_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="DEBUG='perhaps' is neither yes nor no"):
        environment.switch("DEBUG", False)


@pytest.mark.parametrize(
    ("word", "meaning"), [("yes", True), ("TRUE", True), ("1", True), ("off", False), ("No", False)]
)
def test_usual_words_for_yes_and_no_are_understood(
    word: str, meaning: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEHIND_TLS", word)
    assert environment.switch("BEHIND_TLS", not meaning) is meaning


def test_a_mail_server_is_read_and_nonsense_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMAIL_URL", "")
    assert environment.email() == {}
    monkeypatch.setenv("EMAIL_URL", "smtp+tls://ada%40example.com:pass@mail.example.com:587")
    found = environment.email()
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == ("mail.example.com", 587)
    assert (found["EMAIL_HOST_USER"], found["EMAIL_USE_TLS"]) == ("ada@example.com", True)
    monkeypatch.setenv("EMAIL_URL", "mail.example.com:hunter2")
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL is no mail server") as caught:
        environment.email()
    assert "hunter2" not in str(caught.value)


def test_links_lead_to_where_people_reach_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "")
    assert environment.public_url("0.0.0.0", 8000) == "http://localhost:8000"
    assert environment.public_url("::1", 80) == "http://[::1]:80"
    monkeypatch.setenv("PUBLIC_URL", "https://chamnet.example/")
    assert environment.public_url("127.0.0.1", 8000) == "https://chamnet.example"
    monkeypatch.setenv("PUBLIC_URL", "chamnet.example")
    with pytest.raises(ImproperlyConfigured, match=r"PUBLIC_URL='chamnet\.example' does not begin with http"):
        environment.public_url("127.0.0.1", 8000)


def test_a_short_secret_key_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_KEY", "guessable")
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is shorter than 32 characters"):
        environment.secret_key(tmp_path)


def test_a_made_secret_key_is_kept_and_only_its_owner_can_read_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    first = environment.secret_key(tmp_path / "new")
    assert len(first) >= 32
    assert environment.secret_key(tmp_path / "new") == first
    kept = list((tmp_path / "new").iterdir())
    assert [path.name for path in kept] == ["secret_key"]
    assert stat.S_IMODE(kept[0].stat().st_mode) == 0o600
