"""Recipes under names of a team's own."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse

from search.models.ownership import OwnedQuerySet
from search.models.predictors import TrainingRecipe


class OwnRecipe(models.Model):
    """What a person calls a recipe; the recipe itself goes by its content."""

    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="recipes")
    name = models.CharField(max_length=40)
    recipe = models.ForeignKey(TrainingRecipe, on_delete=models.PROTECT, related_name="names")

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="recipe_name_per_owner"),
            models.UniqueConstraint(fields=["owner", "recipe"], name="recipe_named_once"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("recipe", args=[self.recipe_id])
