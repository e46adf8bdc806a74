"""The form that makes a recipe."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from django import forms

from search.forms.fields import unused_name
from search.models import OwnRecipe
from search.training.recipes import FIELD_LABELS, PRESETS, Recipe, RecipeError

_HELP = {
    "momentum": "Nesterov's for SGD, the first beta for AdamW.",
    "ema": "Such as 0.999; empty judges and keeps the weights as they are trained.",
    "crop": "Such as 0.35 for photographs; empty shows whole images.",
    "flip": "Not where a mirrored image is of another class, as digits are.",
    "train_images": "A part of the training images, every class in proportion; empty takes all.",
    "schedule": "Cosine falls to zero at the last step.",
    "validate_every": "The last epoch is always validated.",
}


class RecipeForm(forms.Form):
    """A field for each of a recipe's; the recipe itself says what it may hold."""

    name = forms.CharField(max_length=40)

    def __init__(self, *args: Any, owner: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        types = {field.name: field.type for field in fields(Recipe)}
        for name, label in FIELD_LABELS.items():
            self.fields[name] = _field(types[name], label, _HELP.get(name, ""))

    def clean_name(self) -> str:
        name = self.cleaned_data["name"].strip()
        if name in PRESETS:
            raise forms.ValidationError(f"“{name}” is one of the recipes that everyone has.")
        return unused_name(OwnRecipe.objects.filter(owner=self.owner), name, "recipe")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        given = {name: cleaned[name] for name in FIELD_LABELS if name in cleaned}
        if len(given) < len(FIELD_LABELS):
            return cleaned
        try:
            cleaned["recipe"] = Recipe.from_json(given)
        except RecipeError as error:
            for name, message in error.errors.items():
                self.add_error(name, f"This {message}.")
            return cleaned
        for name, preset in PRESETS.items():
            if preset.id == cleaned["recipe"].id:
                self.add_error(None, f"This is “{name}”, one of the recipes that everyone has.")
                return cleaned
        known = OwnRecipe.objects.filter(owner=self.owner, recipe=cleaned["recipe"].id).first()
        if known is not None:
            self.add_error(None, f"This is what you call “{known.name}” already.")
        return cleaned


def _field(kind: Any, label: str, help_text: str) -> forms.Field:
    text = str(kind)
    options: dict[str, Any] = {"label": label, "help_text": help_text, "required": "None" not in text}
    if text == "bool":
        return forms.BooleanField(label=label, help_text=help_text, required=False)
    if text.startswith("int"):
        return forms.IntegerField(**options)
    if text.startswith("float"):
        return forms.FloatField(**options)
    choices = {"Optimiser": ("sgd", "adamw"), "Schedule": ("cosine", "constant")}[text]
    return forms.ChoiceField(choices=[(one, one) for one in choices], **options)
