"""Which code does the steps of which kind of run.

Handlers are named by dotted path and imported by the worker that needs them, so that neither the web
process nor a worker's parent imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from devices.runs.steps import ClaimedStep
    from devices.runs.writing import RunWriter


@dataclass(frozen=True, slots=True)
class RunKind:
    """One kind of long job.

    name: stored in `Run.kind`.
    steps: step kind -> dotted path of a function taking a `ClaimedStep`.
    keeps: what remains when a person cancels such a run, as a sentence.
    can_stop_early: whether ending early leaves something usable.
    given_up: step kind -> dotted path of a function (RunWriter, ClaimedStep, reason) called in place of
        failing the whole run when a step of that kind failed for good.
    begin_again: dotted path of a function (RunWriter) called when such a run is tried again, before its steps
        that failed are made ready: it mends what they build on and adds what has to be done besides.
    notifies: whether its end is worth a notice.
    """

    name: str
    steps: Mapping[str, str]
    keeps: str
    can_stop_early: bool = False
    given_up: Mapping[str, str] = field(default_factory=dict)
    begin_again: str = ""
    notifies: bool = True

    def handler(self, step_kind: str) -> Callable[[ClaimedStep], None]:
        """Imports and returns the function for `step_kind`. Raises KeyError for an unknown one."""
        found: Callable[[ClaimedStep], None] = import_string(self.steps[step_kind])
        return found

    def last_resort(self, step_kind: str) -> Callable[[RunWriter, ClaimedStep, str], None] | None:
        """The function that settles a step that failed for good without failing its run, if there is one."""
        path = self.given_up.get(step_kind)
        return import_string(path) if path else None

    def prepare_again(self, writer: RunWriter) -> None:
        """Calls `begin_again`, if there is one."""
        if self.begin_again:
            import_string(self.begin_again)(writer)


_kinds: dict[str, RunKind] = {}


def register(kind: RunKind) -> None:
    """Makes a kind known. Called once a kind from an application's `ready`."""
    _kinds[kind.name] = kind


def kind(name: str) -> RunKind:
    """The registered kind. Raises KeyError for a name nobody registered."""
    return _kinds[name]
