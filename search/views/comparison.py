"""Two to ten candidates side by side: `candidate` names them in the address, `only=differences` shortens."""

from __future__ import annotations

import math
from itertools import groupby
from uuid import UUID

from django.http import Http404, HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from devices.exports import Export, export, export_asked
from devices.runs.ownership import owner_of
from devices.runs.writing import finite
from search.comparison import FEWEST, MOST, Row, as_json, candidates_of, compared
from search.models import Candidate
from search.services.drawing import blocks
from search.services.layers import LayerRow, layers_with_costs, side_by_side


@require_GET
def compare(request: HttpRequest) -> HttpResponseBase:
    asked = _asked(request)
    found = candidates_of(owner_of(request), asked[:MOST])
    if problem := _problem(asked, found):
        missing = len(found) < min(len(asked), MOST)
        return render(request, "search/compare.html", {"problem": problem}, status=404 if missing else 200)
    comparison = compared(owner_of(request), found)
    networks = [one.architecture.layers for one in found]
    layers = [layers_with_costs(one, table) for one, table in zip(networks, comparison.tables, strict=True)]
    layer_rows = side_by_side(layers)
    if file := export_asked(request, lambda: {"layers": _layer_file(found, layer_rows)}):
        return file
    rows = _wanted(request, comparison.rows)
    known = [all(layer["latency_us"] is not None for layer in mine) for mine in layers]
    names = [f"{one.search.name}, candidate {one.rank}" for one in found]
    context = {
        "candidates": found,
        "names": names,
        "groups": [(group, list(mine)) for group, mine in groupby(rows, key=lambda row: row.group)],
        "shown": len(rows),
        "every": len(comparison.rows),
        "only_differences": _only_differences(request),
        "layer_rows": layer_rows,
        "draws_layers": sum(known) >= FEWEST,
        "state": {
            "layers": [{"name": row.name, "block": row.block} for row in layer_rows],
            "networks": finite(
                [
                    {
                        "name": name,
                        "device": one.device.name,
                        "blocks": blocks(network, table.cost_us if table else lambda operator: math.nan),
                        "layers": [(layer["name"], layer["latency_us"]) for layer in mine if is_known],
                    }
                    for one, name, network, table, mine, is_known in zip(
                        found, names, networks, comparison.tables, layers, known, strict=True
                    )
                ]
            ),
        },
    }
    return render(request, "search/compare.html", context)


def _layer_file(candidates: list[Candidate], rows: list[LayerRow]) -> Export:
    """A line a layer, of every candidate its latency and shape. Places tell equal names apart."""
    facts = ("latency_us", "kind", "shape")
    head = [f"{fact} {place}: {one}" for place, one in enumerate(candidates, 1) for fact in facts]
    lines = [
        [row.name, *(cell[fact] if cell else None for cell in row.cells for fact in facts)] for row in rows
    ]
    return Export("layers", ["layer", *head], lambda: lines)


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
