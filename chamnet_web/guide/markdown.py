"""The guide's Markdown as HTML: headings with anchors, links by name, pictures in both themes.

HTML in the text is shown as text. Links are written so that the files can be read on their own too:

    02-devices.md#the-agent    another chapter, by its file
    app:search-new             a page of the application, by the name of its address
    term:pareto-front          an entry of the glossary
    https://...                elsewhere
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from markdown_it import MarkdownIt
from markdown_it.token import Token
from PIL import Image

from chamnet_web.guide.glossary import GLOSSARY

PICTURES = PurePosixPath("img/guide")
_CHAPTER_FILE = re.compile(r"(\d\d)-([a-z-]+)\.md")


class GuideError(ValueError):
    """Something in the guide names what does not exist."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of a chapter and the words below it, up to the next one."""

    anchor: str  # empty for what stands before the first heading
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    sections: tuple[Section, ...]
    html: SafeString  # without the title


def slug_of(file_name: str) -> str:
    """`02-devices.md` -> `devices`. Raises GuideError for names of another form."""
    found = _CHAPTER_FILE.fullmatch(file_name)
    if found is None:
        raise GuideError(f"“{file_name}” is no chapter: chapters are called like 02-devices.md.")
    return found[2]


def read(text: str) -> Document:
    """Parses a chapter whose first line is its title.

    Raises GuideError where a link or a picture leads nowhere or two headings share an anchor.
    """
    parser = _parser()
    tokens = parser.parse(text)
    if [token.tag for token in tokens[:1]] != ["h1"]:
        raise GuideError("A chapter begins with its title: “# Title”.")
    sections = _sections(tokens)
    anchors = [section.anchor for section in sections]
    if len(set(anchors)) < len(anchors):
        raise GuideError(f"“{sections[0].title}” has two headings of the same name.")
    _prepare(tokens)
    # Safe: the parser escapes every text and lets no HTML through.
    html = mark_safe(parser.renderer.render(tokens[3:], parser.options, {}))  # noqa: S308
    return Document(sections[0].title, tuple(sections), html)


def address_of(target: str) -> str:
    """Where a link of the guide leads. Raises GuideError where that is nowhere."""
    kind, _, name = target.partition(":")
    if kind == "app":
        try:
            return reverse(name)
        except NoReverseMatch:
            raise GuideError(f"No page is called “{name}”.") from None
    if kind == "term":
        if name not in {term.slug for term in GLOSSARY}:
            raise GuideError(f"The glossary has no “{name}”.")
        return f"{reverse('help-terms')}#{name}"
    if kind == "https":
        return target
    file_name, mark, anchor = target.partition("#")
    return (reverse("help-chapter", args=[slug_of(file_name)]) if file_name else "") + mark + anchor


def _sections(tokens: Sequence[Token]) -> list[Section]:
    found: list[tuple[str, list[str]]] = []
    for before, token in pairwise(tokens):
        if token.type in ("fence", "code_block"):
            found[-1][1].append(token.content)
        if token.type != "inline":
            continue
        words = "".join(
            child.content
            if child.type in ("text", "code_inline")
            else " "
            if child.type == "softbreak"
            else ""
            for child in token.children or []
        )
        if before.type == "heading_open":
            before.attrSet("id", slugify(words))
            found.append((words, []))
        else:
            found[-1][1].append(words)
    return [
        Section(slugify(title) if place else "", title, " ".join(texts))
        for place, (title, texts) in enumerate(found)
    ]


def _prepare(tokens: Sequence[Token]) -> None:
    """Resolves links, and gives tables what the application's tables have."""
    heading = ""
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            heading = token.content
        if token.type == "table_open":
            token.meta = {"label": heading}
            token.attrSet("class", "table-quiet")
        elif token.type == "th_open":
            token.attrSet("scope", "col")
        for child in token.children or []:
            if child.type == "link_open":
                child.attrSet("href", address_of(str(child.attrGet("href"))))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("image", _picture)
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", lambda *_: "</table></div>")
    return parser


def _table_open(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    frame = format_html(
        '<div class="table-scroll" tabindex="0" role="group" aria-label="{}">', tokens[index].meta["label"]
    )
    return frame + str(renderer.renderToken(tokens, index, options, env))


def _picture(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Both themes' pictures; the style sheet hides one, and what is hidden and lazy is not fetched."""
    token = tokens[index]
    name = PurePosixPath(str(token.attrGet("src"))).name
    return format_html(
        '<span class="picture">{}{}</span>',
        _image(name, token.content, "light"),
        _image(dark_name(name), token.content, "dark"),
    )


def dark_name(name: str) -> str:
    """The file that shows the same picture in the dark theme."""
    path = PurePosixPath(name)
    return f"{path.stem}-dark{path.suffix}"


def _image(name: str, alt: str, theme: str) -> SafeString:
    path = Path(settings.BASE_DIR) / "static" / PICTURES / name
    if not path.is_file():
        raise GuideError(f"There is no picture {PICTURES / name}.")
    with Image.open(path) as image:
        width, height = image.size
    return format_html(
        '<img class="picture-{}" src="{}" width="{}" height="{}" alt="{}" loading="lazy" decoding="async">',
        theme,
        static(str(PICTURES / name)),
        width,
        height,
        alt,
    )
