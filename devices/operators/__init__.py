"""The operator vocabulary: what a network costs is a sum over these."""

from __future__ import annotations

from devices.operators.layer import Layer
from devices.operators.operator import KINDS, Activation, Kind, Operator

__all__ = ["KINDS", "Activation", "Kind", "Layer", "Operator"]
