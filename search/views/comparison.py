"""Two to ten candidates side by side: `candidate` names them in the address, `only=differences` shortens."""

from __future__ import annotations

from itertools import groupby
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from devices.exports import Export, export
from devices.runs.ownership import owner_of
from devices.runs.writing import finite
from search.comparison import FEWEST, MOST, Row, as_json, candidates_of, compared
from search.models import Candidate
from search.views.candidates import drawn_blocks


@require_GET
def compare(request: HttpRequest) -> HttpResponse:
    asked = _asked(request)
    found = candidates_of(owner_of(request), asked[:MOST])
    if problem := _problem(asked, found):
        missing = len(found) < min(len(asked), MOST)
        return render(request, "search/compare.html", {"problem": problem}, status=404 if missing else 200)
    comparison = compared(owner_of(request), found)
    rows = _wanted(request, comparison.rows)
    names = [f"{one.search.name}, candidate {one.rank}" for one in found]
    networks = zip(found, names, drawn_blocks(found), comparison.layers_us, strict=True)
    context = {
        "candidates": found,
        "names": names,
        "groups": [(group, list(mine)) for group, mine in groupby(rows, key=lambda row: row.group)],
        "shown": len(rows),
        "every": len(comparison.rows),
        "only_differences": _only_differences(request),
        "draws_layers": sum(bool(layers) for layers in comparison.layers_us) >= FEWEST,
        "state": finite(
            {
                "networks": [
                    {"name": name, "device": one.device.name, "blocks": blocks, "layers": layers}
                    for one, name, blocks, layers in networks
                ]
            }
        ),
    }
    return render(request, "search/compare.html", context)


@require_GET
def comparison_file(request: HttpRequest, ending: str) -> HttpResponseBase:
    """The same comparison as CSV (a line a quantity, a column a candidate) or JSON."""
    asked = _asked(request)
    found = candidates_of(owner_of(request), asked[:MOST])
    if ending not in ("csv", "json") or _problem(asked, found):
        raise Http404("There is no such comparison.")
    rows = _wanted(request, compared(owner_of(request), found).rows)
    if ending == "csv":
        return export(request, _table(found, rows), "csv")
    response = JsonResponse(finite(as_json(found, rows)))
    response.headers["Content-Disposition"] = 'attachment; filename="comparison.json"'
    return response


def _table(candidates: list[Candidate], rows: list[Row]) -> Export:
    head = ["group", "quantity", "unit", "kind", *map(str, candidates)]
    lines = [
        [
            row.group,
            row.label,
            "share" if row.unit == "%" else row.unit,
            row.look,
            *(cell.value for cell in row.cells),
        ]
        for row in rows
    ]
    return Export("comparison", head, lambda: lines)


def _asked(request: HttpRequest) -> list[UUID]:
    """The candidates named in the address, each once."""
    found: dict[UUID, None] = {}
    for text in request.GET.getlist("candidate"):
        try:
            found[UUID(text)] = None
        except ValueError:
            raise Http404("There is no such candidate.") from None
    return list(found)


def _problem(asked: list[UUID], found: list[Candidate]) -> str:
    """Why these cannot be compared, as a sentence; empty where they can."""
    if len(asked) > MOST:
        return f"At most {MOST} candidates are compared at once; these are {len(asked)}. Leave some out."
    if len(found) < len(asked):
        return "One of these candidates does not exist any more, or is not your team's."
    if len(asked) < FEWEST:
        chosen = "1 is chosen" if asked else "none is chosen"
        return f"A comparison needs at least {FEWEST} candidates; {chosen}. Pick more in the explorer."
    return ""


def _only_differences(request: HttpRequest) -> bool:
    return request.GET.get("only") == "differences"


def _wanted(request: HttpRequest, rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.differs] if _only_differences(request) else rows
