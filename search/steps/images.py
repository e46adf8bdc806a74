"""Steps that need the images of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from devices.runs.steps import StepFailedError
from search.training.stored import ImagesGoneError


@contextmanager
def needed() -> Iterator[None]:
    """Fails the run with what to do where its images are gone: no other network of it could be trained."""
    try:
        yield
    except ImagesGoneError as error:
        raise StepFailedError(str(error), mendable=True, ends_run=True) from error
