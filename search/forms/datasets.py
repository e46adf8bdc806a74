"""The form that brings a data set."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from search.forms.fields import unused_name
from search.models import ImageSet
from search.services.datasets import UploadError, begin_upload, server_path, take_chunk, upload_of
from search.training.datasets import DATASETS

SIZES = (8, 16, 24, 28, 32, 48, 64, 96, 128, 160, 192, 224, 256)


class DatasetForm(forms.Form):
    """A file from the browser, in pieces or whole, or what lies at a path of the server."""

    name = forms.CharField(max_length=80, help_text="As you will pick it for predictors.")
    upload = forms.UUIDField(required=False, widget=forms.HiddenInput)
    file = forms.FileField(
        required=False,
        error_messages={"required": "Choose a file."},
        help_text="A .zip of one folder of images per class, alone or within train and test folders; or .npz "
        "arrays called images and labels.",
        widget=forms.FileInput(attrs={"accept": ".zip,.npz"}),
    )
    path = forms.CharField(
        required=False,
        max_length=500,
        label="Or a path on the server",
        help_text="A folder of one folder per class, or a file, that lies there already.",
    )
    size = forms.TypedChoiceField(
        label="Stored at",
        choices=[("", "what suits the images"), *((size, f"{size} × {size} pixels") for size in SIZES)],
        coerce=int,
        empty_value=None,
        required=False,
        help_text="The middle of each image. Networks see it at their own resolution.",
    )
    mirrors = forms.BooleanField(
        label="A mirrored image is still of its class",
        required=False,
        help_text="True of most photographs, not of digits or letters. Recipes then mirror images at random.",
    )

    def __init__(self, *args: Any, owner: Any, is_administrator: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        if not (is_administrator and settings.DATASET_FOLDERS):
            del self.fields["path"]
            self.fields["file"].required = not self.data.get("upload")

    def clean_name(self) -> str:
        name = self.cleaned_data["name"].strip()
        if name in {known.label for known in DATASETS.values()}:
            raise forms.ValidationError(f"“{name}” is a data set that everyone has. Choose another name.")
        return unused_name(ImageSet.objects.filter(owner=self.owner), name, "data set")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        upload, file, path = (cleaned.pop(name, None) for name in ("upload", "file", "path"))
        if self.errors.get("file"):
            return cleaned
        if sum(map(bool, (upload or file, path))) != 1:
            self.add_error(
                "file", "Choose a file." if "path" not in self.fields else "Choose a file, or a path."
            )
        elif path:
            self._take_path(cleaned, path)
        elif upload:
            self._take_upload(cleaned, upload)
        elif not self.errors:
            self._take_file(cleaned, file)
        return cleaned

    def _take_path(self, cleaned: dict[str, Any], path: str) -> None:
        try:
            cleaned["path"] = server_path(path)
        except ValueError as error:
            self.add_error("path", str(error))

    def _take_upload(self, cleaned: dict[str, Any], upload_id: Any) -> None:
        cleaned["upload"] = upload = upload_of(self.owner, upload_id)
        if upload is None or not upload.is_whole:
            self.add_error("file", "The upload is not complete. Choose the file again to go on with it.")

    def _take_file(self, cleaned: dict[str, Any], file: Any) -> None:
        """A file that was sent with the form itself, as browsers without scripts do."""
        try:
            cleaned["upload"] = upload = begin_upload(self.owner, file.name, file.size)
        except UploadError as error:
            self.add_error("file", str(error))
            return
        for chunk in file.chunks(2**20):
            take_chunk(upload, upload.received, chunk)
