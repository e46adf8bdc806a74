"""The guide: it names only what there is, every page leads to it, and every term is explained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from chamnet_web.guide.chapters import FOLDER, chapters, find
from chamnet_web.guide.glossary import GLOSSARY
from chamnet_web.guide.markdown import GuideError, dark_name, read, slug_of
from chamnet_web.guide.pages import HELP_OF
from docs import make_pictures
from tests.serving import ROOT

pytestmark = pytest.mark.django_db

TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
TEMPLATES = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "templates").rglob("*.html"))]
# Addresses that answer with no page of their own: actions, files, and pieces for scripts.
NO_PAGES = {
    "sign-in", "sign-out", "help", "help-chapter", "help-terms", "run", "run-action", "run-log", "quickstart",
    "table-export", "token-new", "token-revoke", "agent-program", "table-complete", "dataset-inspect",
    "dataset-remove", "dataset-samples", "uploads", "upload", "upload-drop",
    "predictor-estimate", "model-estimate", "study-estimate",
    "predictor-csv", "predictor-refit", "front-keep", "search-csv", "study-csv",
    "model-file", "model-card", "model-timing", "model-licence",
    "notices-secret", "notices-test", "run-notify", "settings-file",
    "second-factor", "join", "factor-remove", "sign-out-everywhere",
    "team-audit", "team-invite", "team-rename", "team-role", "team-remove", "team-switch", "team-leave",
    "invitation-revoke", "candidate-glance", "compare-file", "explore-columns", "explore-rows",
    "search-json", "search-populations", "search-rows", "search-span", "account-token-revoke", "api-page",
}  # fmt: skip


def address_names(patterns: list[Any]) -> set[str]:
    """Names of all addresses but those of the API, which has a description of its own."""
    found: set[str] = set()
    for pattern in patterns:
        if isinstance(pattern, URLResolver) and pattern.namespace is None:
            found |= address_names(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name:
            found.add(pattern.name)
    return found


def test_every_page_has_a_chapter_that_helps_on_it() -> None:
    names = address_names(get_resolver().url_patterns)
    assert names - NO_PAGES - set(HELP_OF) == set()
    assert set(HELP_OF) | NO_PAGES <= names
    assert {chapter for chapter, _ in HELP_OF.values()} <= {chapter.slug for chapter in chapters()}


def test_a_page_links_to_its_chapter(signed_in: Client) -> None:
    page = signed_in.get(reverse("search-new")).content.decode()
    assert f'href="{reverse("help-chapter", args=["searches"])}" aria-label="Help about searches"' in page


@pytest.mark.parametrize("name", TEXTS)
def test_a_chapter_shows_and_all_its_links_lead_somewhere(signed_in: Client, name: str) -> None:
    chapter = next(chapter for chapter in chapters() if chapter.slug == slug_of(name))
    page = signed_in.get(chapter.get_absolute_url())
    assert page.status_code == 200
    for address in set(re.findall(r'href="((?:/|#)[^"]*)"', chapter.document.html)):
        path, _, anchor = address.partition("#")
        there = signed_in.get(path or chapter.get_absolute_url())
        assert there.status_code == 200, address
        assert not anchor or f'id="{anchor}"' in there.content.decode(), address


@pytest.mark.parametrize("name", TEXTS)
def test_bold_words_are_words_of_a_page(name: str) -> None:
    """In the guide bold is what stands on a button, a link, a field or a heading."""
    rooms = ("search/forms", "devices", "chamnet_web/accounts")
    sources = [path for room in rooms for path in (ROOT / room).glob("*.py")]
    words = "\n".join([*TEMPLATES, *(source.read_text(encoding="utf-8") for source in sources)])
    plain = re.sub(r"\s+", " ", re.sub(r'{% term "[^"]+" "([^"]+)" %}', r"\1", words))
    bold = re.findall(r"\*\*(.+?)\*\*", TEXTS[name].replace("\n", " "))
    assert [phrase for phrase in bold if phrase not in plain] == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("No title", "begins with its title"),
        ("# Title\n\n[x](app:no-such-page)", "No page is called “no-such-page”"),
        ("# Title\n\n[x](term:no-such-term)", "The glossary has no “no-such-term”"),
        ("# Title\n\n[x](../elsewhere.md)", "is no chapter"),
        ("# Title\n\n![x](no-such-picture.webp)", "There is no picture"),
        ("# Title\n\n## Twice\n\n## Twice", "two headings of the same name"),
    ],
)
def test_a_name_of_what_does_not_exist_is_refused(text: str, problem: str) -> None:
    with pytest.raises(GuideError, match=problem):
        read(text)


def test_html_in_the_guide_is_text() -> None:
    html = read("# T\n\n<script>alert(1)</script> [x](https://example.org/?a=1&b=2)").html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_pictures_named_are_pictures_made() -> None:
    named = {
        Path(found).name for text in TEXTS.values() for found in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    }
    made = {picture.file for picture in make_pictures.PICTURES}
    assert named == made
    files = {path.name: path.stat().st_size for path in make_pictures.FOLDER.iterdir()}
    assert set(files) == made | {dark_name(name) for name in made}
    assert max(files.values()) <= make_pictures.MOST_BYTES
    assert sum(files.values()) <= 1_500_000


def test_a_picture_is_there_for_both_themes_and_says_what_it_shows(signed_in: Client) -> None:
    page = signed_in.get(reverse("help-chapter", args=["searches"])).content.decode()
    for theme, file in (("light", "search.webp"), ("dark", "search-dark.webp")):
        image = re.search(
            rf'<img class="picture-{theme}" src="([^"]+)" width="\d+" height="\d+" alt="([^"]+)"', page
        )
        assert image is not None
        assert image[1].endswith(file)
        assert len(image[2]) > 30


def test_terms_are_used_and_terms_used_are_explained() -> None:
    used = {
        name.casefold() for text in TEMPLATES for name in re.findall(r'(?:{% term |\bterm=)"([^"]+)"', text)
    }
    assert used == {term.name.casefold() for term in GLOSSARY}


def test_the_glossary_is_in_order_and_leads_to_chapters(signed_in: Client) -> None:
    names = [term.name.casefold() for term in GLOSSARY]
    assert names == sorted(names)
    assert {term.chapter for term in GLOSSARY} <= {chapter.slug for chapter in chapters()}
    page = signed_in.get(reverse("help-terms")).content.decode()
    for term in GLOSSARY:
        assert f'id="{term.slug}"' in page


def test_a_page_explains_a_term_once(signed_in: Client) -> None:
    page = signed_in.get(reverse("search-new")).content.decode()
    assert page.count('popovertarget="term-generation"') == page.count('id="term-generation"') == 1
    assert 'aria-label="What is this: Confidence"' in page


def test_searching_finds_sections_that_have_every_word(signed_in: Client) -> None:
    found = find("Token agent")
    assert found[0].title == "The agent"
    assert all("token" in f"{place.title} {place.excerpt}".casefold() or place.where for place in found)
    assert find("token nosuchword") == []
    assert find("  ") == []
    page = signed_in.get(reverse("help"), {"q": "<b>pareto"}).content.decode()
    assert "Nothing with “&lt;b&gt;pareto”" in page
    page = signed_in.get(reverse("help"), {"q": "pareto front"}).content.decode()
    assert f'href="{reverse("help-terms")}#pareto-front"' in page
