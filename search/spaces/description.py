"""An architecture as a plain record of its hyperparameters, its cost and its operators."""

from __future__ import annotations

from search.spaces.architecture import Architecture


def describe(architecture: Architecture) -> dict[str, object]:
    """JSON-ready: ids, values by gene name, parameters, multiply_adds per image, and the operators in order.

    Each operator has its layer's name, its key, its own parameters and multiply_adds, and the indices of the
    operators that it reads (-1 is the image).
    """
    space = architecture.space
    return {
        "space": space.name,
        "space_id": space.id,
        "id": architecture.id,
        "classes": space.classes,
        "in_channels": space.in_channels,
        "genes": architecture.values,
        "parameters": architecture.parameters,
        "multiply_adds": architecture.multiply_adds,
        "operators": [
            {
                "name": layer.name,
                "key": layer.operator.key,
                "inputs": list(layer.inputs),
                "parameters": layer.operator.parameters,
                "multiply_adds": layer.operator.multiply_adds,
            }
            for layer in architecture.layers
        ],
    }
