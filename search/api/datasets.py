"""Data sets, and their files on the way to the server."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status

from devices.api.answers import (
    Line,
    Linked,
    Page,
    Refused,
    Text,
    Window,
    checked,
    content_of,
    file_body,
    filled,
    page_of,
)
from devices.api.runs import RunFacts
from devices.runs.ownership import owner_of
from search.forms.datasets import DatasetForm
from search.models import ImageSet, Upload
from search.services import datasets as services
from search.services.datasets import CHUNK, UploadError
from search.training import datasets

router = Router(tags=["data sets"])
uploads = Router(tags=["data sets"])


class DatasetFacts(Linked):
    """A data set that somebody brought, or a built-in one that was looked at."""

    id: UUID
    name: str
    source: str
    origin: str
    key: str | None = Field(description="How predictors name it; null until it is read.")
    mirrors: bool
    created_at: datetime
    run: RunFacts


class DatasetDetail(DatasetFacts):
    """A data set with what was found in it."""

    facts: dict[str, Any] | None
    report: dict[str, Any] | None


class TrainableDataset(Schema):
    """What networks can be trained on here."""

    key: str = Field(description="How predictors name it.")
    label: str
    classes: int
    image_size: int
    channels: int
    train_images: int
    validation_images: int
    test_images: int


class NewDataset(Schema):
    """A name for what an upload, or a path of the server, holds."""

    name: Line
    upload: UUID | None = Field(default=None, description="An upload that is whole.")
    path: Line | None = Field(default=None, description="For administrators: what lies on the server.")
    size: int | None = Field(default=None, description="Pixels to store images at; what suits them without.")
    mirrors: bool = False


class NewUpload(Schema):
    """The file that will be sent in pieces."""

    name: Annotated[Text, Field(min_length=1, max_length=200)]
    size: int = Field(ge=0, le=10**15)


class Piece(Schema):
    """Where a piece of a file belongs."""

    offset: int = Field(ge=0, le=10**15)


class UploadState(Schema):
    """How far an upload is."""

    id: UUID
    name: str
    received: int = Field(description="Bytes that are here: the next piece begins there.")
    size: int
    piece: int = Field(default=CHUNK, description="Bytes of a piece, at most.")


@router.get("", response=Page[DatasetFacts])
def list_datasets(request: HttpRequest, window: Query[Window]) -> Any:
    """List the data sets that were brought."""
    rows = ImageSet.objects.owned_by(owner_of(request)).select_related("run").order_by("name", "pk")
    return page_of(request, rows.defer("report"), window)


@router.post("", response={201: DatasetFacts})
def import_dataset(request: HttpRequest, data: NewDataset) -> Any:
    """Begin to read a data set that was uploaded."""
    form = DatasetForm(filled(data), owner=owner_of(request))
    return Status(201, services.start_import(owner=owner_of(request), **checked(form)))


@router.get("/trainable", response=Page[TrainableDataset])
def list_trainable_datasets(request: HttpRequest, window: Query[Window]) -> Any:
    """List what networks can be trained on: built-in data sets and those that were brought."""
    found = [
        {"key": known.name, "classes": len(known.classes)}
        | {
            name: getattr(known, name)
            for name in (
                "label",
                "image_size",
                "channels",
                "train_images",
                "validation_images",
                "test_images",
            )
        }
        for known in services.available_datasets(owner_of(request))
    ]
    return page_of(request, found, window)


@router.post("/built-in/{name}", response={201: DatasetFacts})
def inspect_built_in_dataset(request: HttpRequest, name: str) -> Any:
    """Begin to look at a built-in data set, or find where that was done."""
    if name not in datasets.DATASETS or not datasets.is_available(name):
        raise Refused(404, "There is no such data set here.")
    return Status(201, services.inspect_built_in(owner_of(request), name))


@router.get("/{uuid:dataset_id}", response=DatasetDetail)
def get_dataset(request: HttpRequest, dataset_id: UUID) -> Any:
    """Get a data set."""
    return _dataset(request, dataset_id)


@router.delete("/{uuid:dataset_id}", response={204: None})
def remove_dataset(request: HttpRequest, dataset_id: UUID) -> HttpResponse:
    """Remove a data set with its files."""
    try:
        services.remove(_dataset(request, dataset_id))
    except ValueError as error:
        raise Refused(409, str(error)) from error
    return HttpResponse(status=204)


@uploads.post("", response={200: UploadState, 201: UploadState}, url_name="uploads")
def begin_upload(request: HttpRequest, data: NewUpload) -> Any:
    """Begin an upload, or find that of the same file which was begun before."""
    try:
        upload, is_new = services.find_or_begin_upload(owner_of(request), data.name, data.size)
    except UploadError as error:
        raise Refused(422, str(error)) from error
    return Status(201 if is_new else 200, upload)


@uploads.get("/{uuid:upload_id}", response=UploadState, url_name="upload")
def get_upload(request: HttpRequest, upload_id: UUID) -> Any:
    """Get how far an upload is."""
    return _upload(request, upload_id)


@uploads.put(
    "/{uuid:upload_id}",
    response=UploadState,
    url_name="upload",
    openapi_extra=file_body("application/octet-stream"),
)
def send_piece(request: HttpRequest, upload_id: UUID, piece: Query[Piece]) -> Any:
    """Send the next piece of an upload, from a byte on. A piece sent twice counts once."""
    row = _upload(request, upload_id)
    try:
        services.take_chunk(row, piece.offset, content_of(request, CHUNK))
    except UploadError as error:
        raise Refused(409, str(error)) from error
    return row


@uploads.delete("/{uuid:upload_id}", response={204: None}, url_name="upload")
def drop_upload(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Forget an unfinished upload."""
    services.drop_upload(_upload(request, upload_id))
    return HttpResponse(status=204)


def _dataset(request: HttpRequest, dataset_id: UUID) -> ImageSet:
    rows = ImageSet.objects.owned_by(owner_of(request)).select_related("run", "upload")
    found: ImageSet = get_object_or_404(rows, pk=dataset_id)
    return found


def _upload(request: HttpRequest, upload_id: UUID) -> Upload:
    rows = Upload.objects.owned_by(owner_of(request)).filter(image_set=None)
    found: Upload = get_object_or_404(rows, pk=upload_id)
    return found
