"""Forms about devices."""

from __future__ import annotations

import os
from typing import Any

from django import forms

from devices.models import Device
from devices.tables.formats import FormatError, TableFile, read_table

MOST_BYTES = 20_000_000


class TableImportForm(forms.Form):
    """A file that holds a latency table; `table` is what was read of it."""

    file = forms.FileField(
        help_text="CSV or JSON lines as exported here, ChamNet's records, or once-for-all's yaml. "
        "The format is recognised.",
        widget=forms.FileInput(attrs={"accept": ".csv,.json,.jsonl,.yaml,.yml,.txt"}),
    )
    table: TableFile

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(
                f"The file is larger than {MOST_BYTES // 10**6} MB; `manage.py import_table` takes more."
            )
        try:
            self.table = read_table(file.read().decode("utf-8"))
        except UnicodeDecodeError:
            raise forms.ValidationError("This is no text file: choose a CSV, JSON or yaml file.") from None
        except FormatError as error:
            raise forms.ValidationError(error.problems) from error
        return file


class DeviceForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """Registers a device; refuses a name the owner has already used."""

    class Meta:
        model = Device
        fields = ["name", "kind", "engine", "data_type", "threads", "batch_size", "is_this_machine", "note"]
        labels = {"data_type": "Data type", "batch_size": "Batch size", "is_this_machine": "This machine"}
        help_texts = {
            "name": "As you would say it: “Pixel 8, big cores”.",
            "engine": "What executes the network. The same hardware under another engine is another device.",
            "data_type": "Of weights and activations.",
            "threads": "Fixed while measuring and when you deploy.",
            "batch_size": "Images a call. 1 is usual on devices.",
            "is_this_machine": "The workers of this installation run on it and can measure it.",
            "note": "Clock governor, cooling, anything that a colleague should know.",
        }
        widgets = {"note": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, *args: Any, owner: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        cores = os.cpu_count() or 1
        self.fields["threads"] = forms.IntegerField(
            min_value=1, max_value=256, initial=1, help_text=self.fields["threads"].help_text
        )
        self.fields["batch_size"] = forms.IntegerField(
            min_value=1, max_value=1024, initial=1, help_text=self.fields["batch_size"].help_text
        )
        self.cores = cores

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        if Device.objects.owned_by(self.owner).filter(name=name).exists():
            raise forms.ValidationError(
                f"Your team already has a device called “{name}”. Choose another name."
            )
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        threads = cleaned.get("threads")
        if cleaned.get("is_this_machine") and threads and threads > self.cores:
            self.add_error("threads", f"This machine has {self.cores} cores; use at most as many threads.")
        return cleaned

    def save(self, commit: bool = True) -> Device:
        self.instance.owner = self.owner
        device: Device = super().save(commit)
        return device
