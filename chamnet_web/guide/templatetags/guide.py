"""Tags that explain: a term where it appears, and the chapter that helps on a page."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chamnet_web.guide.glossary import term_called
from chamnet_web.guide.pages import HELP_OF

register = template.Library()


@register.simple_tag(takes_context=True)
def term(context: Context, name: str, words: str = "", mark: bool = False) -> str | SafeString:
    """A word of the field that opens its explanation; `words` are shown instead of the term's own name.

    With `mark` a question mark is shown, for places where the word itself is a label already. A page
    explains a term once: where it comes again, the word stands alone.
    """
    found = term_called(name)
    words = words or name
    if _is_explained(context, found.slug):
        return "" if mark else words
    more = reverse("help-terms")
    if found.chapter:
        more = reverse("help-chapter", args=[found.chapter])
    return format_html(
        '<button type="button" class="term{}" popovertarget="term-{slug}"{}>{}</button>'
        '<span class="term-note" id="term-{slug}" popover><strong>{name}</strong> {text} '
        '<a href="{more}">More<span class="visually-hidden"> about: {name}</span></a></span>',
        " term-mark" if mark else "",
        format_html(' aria-label="What is this: {}"', found.name) if mark else "",
        "?" if mark else words,
        slug=found.slug,
        name=found.name,
        text=found.text,
        more=more,
    )


def _is_explained(context: Context, slug: str) -> bool:
    """Whether this page explained the term before; from now on it has."""
    explained: set[str] = vars(context["request"]).setdefault("explained_terms", set())
    known = slug in explained
    explained.add(slug)
    return known


@register.inclusion_tag("guide/help_link.html", takes_context=True)
def help_link(context: Context) -> dict[str, Any]:
    """The way from a page to the chapter about it; to the table of contents where no chapter is."""
    match = context["request"].resolver_match
    chapter, about = HELP_OF.get(match.url_name if match else "", ("", ""))
    return {
        "address": reverse("help-chapter", args=[chapter]) if chapter else reverse("help"),
        "words": f"Help about {about}" if about else "Help",
    }
