"""Quick start goes on whenever one of its stages ends."""

from __future__ import annotations

from devices.runs.models import Run
from devices.runs.steps import ClaimedStep
from search.models import QuickStart
from search.services.quickstart import STAGES, begin_next_stage, stage_runs


def advance(step: ClaimedStep) -> None:
    """Begins the next stage, or ends with the last stage's result."""
    quickstart: QuickStart = step.run.quickstart
    runs = [run for _, run in stage_runs(quickstart) if run is not None]
    with step.commit() as writer:
        if runs and not runs[-1].is_final:
            return  # its end makes this one go on
        if runs and runs[-1].status != Run.Status.SUCCEEDED:
            writer.fail_with(runs[-1])
        elif len(runs) == len(STAGES):
            writer.progress(done=len(STAGES))
            writer.succeed("The file is verified and ready to download.")
        else:
            begin_next_stage(writer, quickstart)
            stage = STAGES[len(runs)]
            writer.progress(done=len(runs), message=f"Stage {len(runs) + 1} of {len(STAGES)}: {stage}")
            writer.event("stage", {"label": stage, "url": getattr(quickstart, stage).get_absolute_url()})
