"""The step that times a few training steps."""

from __future__ import annotations

import numpy as np

from devices.runs.steps import ClaimedStep
from search.models import Probe
from search.services.datasets import dataset_of
from search.services.probes import probed_networks
from search.training.probe import estimate_seconds
from search.training.process import prepare_process


def time_steps(step: ClaimedStep) -> None:
    """Times training steps of the reference and of random networks; their mean stands for a sample."""
    probe: Probe = step.run.probe
    space, recipe = probe.space.load(), probe.recipe.load()
    known = dataset_of(probe.owner, probe.dataset)
    prepare_process()
    found = []
    for genes in probed_networks(space):
        step.check(every_seconds=0)
        found.append(estimate_seconds(space.lower(genes), recipe, known))
    probe.seconds, probe.least_seconds, probe.most_seconds = float(np.mean(found)), min(found), max(found)
    with step.commit() as writer:
        probe.save()
        writer.progress(done=1)
        writer.succeed(f"A sample takes about {probe.seconds:.3g} s ({min(found):.3g} to {max(found):.3g}).")
