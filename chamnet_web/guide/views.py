"""The guide's pages."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from chamnet_web.guide.chapters import chapters, find
from chamnet_web.guide.glossary import GLOSSARY


@require_GET
def help_index(request: HttpRequest) -> HttpResponse:
    """The table of contents, or with a question in the address what was found."""
    question = request.GET.get("q", "").strip()[:200]
    context = {"chapters": chapters(), "question": question, "found": find(question)}
    return render(request, "guide/index.html", context)


@require_GET
def help_terms(request: HttpRequest) -> HttpResponse:
    return render(request, "guide/terms.html", {"terms": GLOSSARY})


@require_GET
def help_chapter(request: HttpRequest, slug: str) -> HttpResponse:
    """A chapter between its neighbours."""
    all_chapters = chapters()
    place = next((place for place, chapter in enumerate(all_chapters) if chapter.slug == slug), None)
    if place is None:
        raise Http404("The guide has no such chapter.")
    context = {
        "chapters": all_chapters,
        "chapter": all_chapters[place],
        "before": all_chapters[place - 1] if place else None,
        "after": all_chapters[place + 1] if place + 1 < len(all_chapters) else None,
    }
    return render(request, "guide/chapter.html", context)
