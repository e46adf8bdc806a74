"""The chapters of the guide: files of docs/guide, in the order of their numbers."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.urls import reverse

from chamnet_web.guide.glossary import GLOSSARY
from chamnet_web.guide.markdown import Document, read, slug_of

FOLDER = Path(settings.BASE_DIR) / "docs" / "guide"
SHOWN_AROUND = 90  # characters of a section's text on either side of what was found


@dataclass(frozen=True, slots=True)
class Chapter:
    slug: str
    document: Document

    @property
    def title(self) -> str:
        return self.document.title

    @property
    def summary(self) -> str:
        """Its first sentence."""
        return re.split(r"(?<=\.) ", self.document.sections[0].text, maxsplit=1)[0]

    def get_absolute_url(self) -> str:
        return reverse("help-chapter", args=[self.slug])


@dataclass(frozen=True, slots=True)
class Found:
    """A place of the guide that has every word that was asked for."""

    title: str
    where: str
    address: str
    excerpt: str


def chapters() -> list[Chapter]:
    return [_chapter(path, path.stat().st_mtime_ns) for path in sorted(FOLDER.glob("*.md"))]


@lru_cache(maxsize=64)
def _chapter(path: Path, modified_ns: int) -> Chapter:
    """A chapter as it was at a time of change, so that an edited file is read anew."""
    return Chapter(slug_of(path.name), read(path.read_text(encoding="utf-8")))


def find(question: str) -> list[Found]:
    """Terms and sections that have every word of the question, those with more of them first."""
    words = question.casefold().split()
    if not words:
        return []
    places = [
        (term.name, "Terms", f"{reverse('help-terms')}#{term.slug}", term.text) for term in GLOSSARY
    ] + [
        (section.title, chapter.title, _address(chapter, section.anchor), section.text)
        for chapter in chapters()
        for section in chapter.document.sections
    ]
    scored = [
        (_score(words, title, text), Found(title, where, address, _excerpt(words, text)))
        for title, where, address, text in places
    ]
    return [found for score, found in sorted(scored, key=lambda pair: -pair[0]) if score > 0]


def _address(chapter: Chapter, anchor: str) -> str:
    return chapter.get_absolute_url() + (f"#{anchor}" if anchor else "")


def _score(words: list[str], title: str, text: str) -> int:
    """How often the words occur, those of the title ten times as much; 0 where one is missing."""
    title, text = title.casefold(), text.casefold()
    counts = Counter({word: 10 * title.count(word) + text.count(word) for word in words})
    return counts.total() if all(counts.values()) else 0


def _excerpt(words: list[str], text: str) -> str:
    """The text around the first word that occurs in it."""
    places = [place for word in words if (place := text.casefold().find(word)) >= 0]
    start = max(0, min(places, default=0) - SHOWN_AROUND)
    end = start + 2 * SHOWN_AROUND
    if start:
        start = text.find(" ", start) + 1
    cut = text[start:end].rpartition(" ")[0] if end < len(text) else text[start:]
    return ("… " if start else "") + cut + (" …" if end < len(text) else "")
