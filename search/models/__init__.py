"""Spaces, samples, predictors, searches, candidates and trained models."""

from __future__ import annotations

from search.models.datasets import ImageSet, Upload
from search.models.ownership import OwnedQuerySet
from search.models.predictors import (
    CostPredictor,
    Predictor,
    Proposal,
    QualityPoint,
    Sample,
    Space,
    TrainingRecipe,
)
from search.models.probes import Probe
from search.models.published import PublishedSet
from search.models.recipes import OwnRecipe
from search.models.searches import Candidate, Generation, Search, SearchLimit
from search.models.studies import Baseline, Study, StudyEntry
from search.models.trained import Epoch, ModelFile, ModelTiming, QuickStart, TrainedModel

__all__ = [
    "Baseline",
    "Candidate",
    "CostPredictor",
    "Epoch",
    "Generation",
    "ImageSet",
    "ModelFile",
    "ModelTiming",
    "OwnRecipe",
    "OwnedQuerySet",
    "Predictor",
    "Probe",
    "Proposal",
    "PublishedSet",
    "QualityPoint",
    "QuickStart",
    "Sample",
    "Search",
    "SearchLimit",
    "Space",
    "Study",
    "StudyEntry",
    "TrainedModel",
    "TrainingRecipe",
    "Upload",
]
