"""Pages about data sets, and the way of their files from the browser to the server."""

from __future__ import annotations

import io
import json
from typing import Any
from uuid import UUID

import numpy as np
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from PIL import Image

from devices.exports import Export, export_asked, of_records
from devices.listing import list_response
from devices.runs.ownership import owner_of
from devices.runs.views import run_state
from devices.runs.writing import NO_CHARACTER
from search.forms.datasets import DatasetForm
from search.lists import DATASETS
from search.models import ImageSet, Upload
from search.queries import own_dataset_rows
from search.services import datasets as services
from search.services.datasets import CHUNK, UploadError
from search.training import datasets
from search.views.settings import beginning

CLASSES_PER_PAGE = 50
GAP = 2


@require_GET
def dataset_list(request: HttpRequest) -> HttpResponseBase:
    """The team's own sets as a list, and the few that everyone has."""
    if "table" in request.GET and (file := export_asked(request, lambda: {"built-in": _built_in_file()})):
        return file
    rows = ImageSet.objects.owned_by(owner_of(request)).filter(source=ImageSet.Source.BUILT_IN)
    looked_at = {row.origin: row for row in rows.defer("facts", "report")}
    built_in = [
        (known, datasets.is_available(known.name), looked_at.get(known.name), datasets.missing(known.name))
        for known in datasets.DATASETS.values()
    ]
    own = own_dataset_rows(owner_of(request))
    return list_response(request, DATASETS, own, "search/datasets.html", built_in=built_in)


def _built_in_file() -> Export:
    """The data sets that everyone has, and whether their files are on this machine."""
    sizes = ("train_images", "validation_images", "test_images", "image_size", "channels")
    head = ("name", "label", "classes", *sizes, "is_here", "origin")

    def row(one: datasets.Dataset) -> list[object]:
        counts = [getattr(one, name) for name in sizes]
        return [one.name, one.label, len(one.classes), *counts, datasets.is_available(one.name), one.origin]

    return Export("built-in-data-sets", head, lambda: map(row, datasets.DATASETS.values()))


@require_http_methods(["GET", "POST"])
def dataset_new(request: HttpRequest) -> HttpResponse:
    start = beginning(request, "dataset")
    files = request.FILES or None if start.data else None
    form = DatasetForm(
        start.data,
        files,
        initial=start.initial,
        owner=owner_of(request),
        is_administrator=getattr(request.user, "is_superuser", False),
    )
    if request.method == "POST" and form.is_valid():
        return redirect(services.start_import(owner=owner_of(request), **form.cleaned_data))
    context = {
        "form": form,
        "start": start,
        "uploads": Upload.objects.owned_by(owner_of(request)).filter(image_set=None),
        "limits": services.limits(),
        "state": {"chunk": CHUNK, "uploads": reverse("uploads")},
    }
    return render(request, "search/dataset_form.html", context, status=422 if form.errors else 200)


@require_POST
def dataset_inspect(request: HttpRequest, name: str) -> HttpResponse:
    """Begins to look at a built-in set, or leads to where that was done."""
    if name not in datasets.DATASETS or not datasets.is_available(name):
        raise Http404("There is no such data set here.")
    return redirect(services.inspect_built_in(owner_of(request), name))


@require_GET
def dataset_page(request: HttpRequest, dataset_id: UUID) -> HttpResponseBase:
    row = _dataset(request, dataset_id)
    facts, report = row.facts or {}, row.report or {}
    training, test = report.get("per_class", ([], []))
    classes = [
        {"index": index, "name": name, "training": training[index], "test": test[index] if test else None}
        for index, name in enumerate(facts.get("classes", []))
    ]
    table = of_records(f"classes-{row.pk}", ("index", "name", "training", "test"), classes)
    if (file := export_asked(request, lambda: {"classes": table})) is not None:
        return file
    used = services.used_by(row) if row.run.is_final else []
    context = {
        "object": row,
        "dataset": row,
        "run": row.run,
        "facts": facts,
        "report": report,
        "classes": Paginator(classes, CLASSES_PER_PAGE).get_page(request.GET.get("page")),
        "balance": balance(training),
        "problems": problems(report),
        "used_by": used,
        "state": {
            "run": run_state(row.run),
            "classes": classes if len(classes) <= 1000 else classes[:1000],
            "histogram": report.get("histogram", []),
        },
    }
    return render(request, "search/dataset.html", context)


@require_GET
@cache_control(private=True, max_age=86400, immutable=True)
def dataset_samples(request: HttpRequest, dataset_id: UUID, index: int) -> HttpResponse:
    """Images of one class side by side, as PNG."""
    row = _dataset(request, dataset_id)
    directory = row.workplace if row.source == ImageSet.Source.BUILT_IN else row.place
    try:
        previews = np.load(directory / "previews.npy", mmap_mode="r", allow_pickle=False)
        tiles = np.asarray(previews[index])
    except (FileNotFoundError, IndexError):
        raise Http404("There are no images of this class.") from None
    count, side, _, channels = tiles.shape
    strip = np.full((side, count * side + (count - 1) * GAP, channels), 255, dtype=np.uint8)
    for place, tile in enumerate(tiles):
        left = place * (side + GAP)
        strip[:, left : left + side] = tile
    buffer = io.BytesIO()
    Image.fromarray(strip[..., 0] if channels == 1 else strip).save(buffer, "PNG")
    return HttpResponse(buffer.getvalue(), content_type="image/png")


@require_POST
def dataset_remove(request: HttpRequest, dataset_id: UUID) -> HttpResponse:
    row = _dataset(request, dataset_id)
    try:
        services.remove(row)
    except ValueError as error:
        messages.error(request, str(error))
        return redirect(row)
    messages.success(request, f"The data set “{row.name}” is removed.")
    return redirect("datasets")


@require_POST
def uploads(request: HttpRequest) -> JsonResponse:
    """Begins an upload of {name, size}, or finds the one of the same file that was begun before."""
    try:
        asked = json.loads(request.body)
        name, size = NO_CHARACTER.sub("", str(asked["name"])), int(asked["size"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return JsonResponse({"problem": "Name and size of the file are missing."}, status=422)
    try:
        upload, is_new = services.find_or_begin_upload(owner_of(request), name, size)
    except UploadError as error:
        return JsonResponse({"problem": str(error)}, status=422)
    return JsonResponse(_state(upload), status=201 if is_new else 200)


@require_http_methods(["GET", "PUT", "DELETE"])
def upload(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """How far an upload is; the next piece of it, from the byte `offset`; or its end."""
    row: Upload = get_object_or_404(
        Upload.objects.owned_by(owner_of(request)).filter(image_set=None), pk=upload_id
    )
    if request.method == "DELETE":
        services.drop_upload(row)
        return HttpResponse(status=204)
    if request.method == "PUT":
        offset = request.GET.get("offset", "")
        content = request.read(CHUNK + 1)
        try:
            services.take_chunk(row, int(offset) if offset.isdecimal() else -1, content)
        except UploadError as error:
            return JsonResponse(_state(row) | {"problem": str(error)}, status=409)
    return JsonResponse(_state(row))


@require_POST
def upload_drop(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Forgets an unfinished upload, from a form."""
    row = get_object_or_404(Upload.objects.owned_by(owner_of(request)).filter(image_set=None), pk=upload_id)
    services.drop_upload(row)
    messages.success(request, f"The unfinished upload of {row.name} is removed.")
    return redirect("dataset-new")


def balance(counts: list[int]) -> dict[str, Any] | None:
    """How unequal classes are: the largest over the smallest."""
    if not counts:
        return None
    least, most = min(counts), max(counts)
    return {"least": least, "most": most, "ratio": most / least if least else None}


def problems(report: dict[str, Any]) -> list[dict[str, Any]]:
    """What was left out and why, each with a sentence and the names."""
    texts = {  # of one, and of several
        "unreadable": ("could not be read", "could not be read"),
        "overlap": (
            "is in the test part too; the training part does without it",
            "are in the test part too; the training part does without them",
        ),
        "conflicts": ("is in two classes; one copy stays", "are in two classes; one copy stays"),
        "duplicates": (
            "is the same as another one, pixel for pixel; one of both stays",
            "are the same as another one, pixel for pixel; one of each stays",
        ),
        "ignored": ("is not an image of a class", "are not images of a class"),
    }
    return [
        {
            "kind": kind,
            "count": report[kind]["count"],
            "text": several if report[kind]["count"] > 1 else one,
            "names": [
                name if isinstance(name, str) else f"{name[0]} = {name[1]}" for name in report[kind]["listed"]
            ],
        }
        for kind, (one, several) in texts.items()
        if report.get(kind, {}).get("count")
    ]


def _state(row: Upload) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "url": reverse("upload", args=[row.pk]),
        "received": row.received,
        "size": row.size,
    }


def _dataset(request: HttpRequest, dataset_id: UUID) -> ImageSet:
    row: ImageSet = get_object_or_404(
        ImageSet.objects.owned_by(owner_of(request)).select_related("run", "upload"), pk=dataset_id
    )
    return row
