"""Names that a team gave a recipe leave the row that all teams share."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.models import F


def make_neutral(apps: Any, schema_editor: Any) -> None:
    recipes = apps.get_model("search", "TrainingRecipe").objects
    for row in recipes.filter(names__name=F("name")).distinct():
        row.name = f"recipe {row.pk[:8]}"
        row.save(update_fields=["name"])


class Migration(migrations.Migration):
    dependencies = [("search", "0012_expected_seconds")]

    operations = [migrations.RunPython(make_neutral, migrations.RunPython.noop)]
