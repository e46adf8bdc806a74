"""How fast networks are trained here: beside a bare loop, beside plain torch, and with two workers.

    python benchmarks/training.py [--space chamnet-mobile-small] [--resolution 24] [--rounds 5] [--json]

Every variant runs in a process of its own on one core, in turns, so that other work on the machine disturbs
all alike; a figure is the median over rounds of the ratio within a round. Steps of one process are measured
in processor time, of user and system: on a machine at rest that is what a clock shows, and on a busy one it
does not count the turns of others. Two workers are measured by the clock. The network is the space's
reference, the images are random, the recipe is "minutes" (batches of 64, shifted images). The figures:

    ours_ms       milliseconds of a step of the application's trainer, augmentation and bookkeeping included
    overhead      its time over a bare loop's, in %: the same network, layout, optimiser and process settings
                  on a batch that lies ready
    plain         how many times as long a plain loop takes: torch's own modules in NCHW, its default
                  optimiser, gathering and shifting the images as we do, the process as Python starts it
    two_workers   images a second of two trainings at once over those of one
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

STEPS, WARM_UP = 30, 6
SECONDS = 6.0  # that two workers are watched for


def main() -> None:
    chosen = _arguments()
    context = multiprocessing.get_context("spawn")
    task = (chosen.space, chosen.resolution)
    rounds = [
        {name: _alone(context, name, task) for name in ("ours", "bare", "plain")}
        for _ in range(chosen.rounds)
    ]
    speeds = [
        (_together(context, 1, task), _together(context, 2, task)) for _ in range(max(2, chosen.rounds // 2))
    ]
    found = {
        "space": chosen.space,
        "resolution": chosen.resolution,
        "rounds": chosen.rounds,
        "ours_ms": round(median(one["ours"] for one in rounds), 3),
        "overhead_percent": round(100 * (median(one["ours"] / one["bare"] for one in rounds) - 1), 2),
        "plain_times": round(median(one["plain"] / one["ours"] for one in rounds), 2),
        "two_workers_times": round(median(two / one for one, two in speeds), 2),
        "each_round": rounds,
    }
    if chosen.json:
        print(json.dumps(found, indent=1))
        return
    print(f"{chosen.space} at {chosen.resolution} px: {found['ours_ms']} ms a step of 64 images")
    print(f"overhead over a bare loop {found['overhead_percent']} % (goal 5)")
    print(f"plain eager NCHW takes {found['plain_times']} times as long (goal 1.7)")
    print(f"two workers train {found['two_workers_times']} times as much as one (goal 1.8)")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--space", default="chamnet-mobile-small")
    parser.add_argument("--resolution", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _alone(context: Any, variant: str, task: tuple[str, int]) -> float:
    """Milliseconds of a step, in a fresh process."""
    with context.Pool(1) as pool:
        found: float = pool.apply(measure, (variant, *task))
    return found


def _together(context: Any, workers: int, task: tuple[str, int]) -> float:
    """Steps a second of so many trainings at once."""
    begin = time.time() + 6.0  # by then every process has its network
    with context.Pool(workers) as pool:
        return float(sum(pool.starmap(watch, [(*task, begin)] * workers)))


def measure(variant: str, space: str, resolution: int) -> float:
    """Milliseconds of processor time of a step: the least of three stretches of STEPS."""
    step = _VARIANTS[variant](space, resolution)
    for _ in range(WARM_UP):
        step()
    stretches = []
    for _ in range(3):
        begun = time.process_time()
        for _ in range(STEPS):
            step()
        stretches.append((time.process_time() - begun) / STEPS)
    return 1000.0 * min(stretches)


def watch(space: str, resolution: int, begin: float) -> float:
    """Steps a second of our trainer from a moment on, for SECONDS."""
    step = _ours(space, resolution)
    for _ in range(WARM_UP):
        step()
    time.sleep(max(0.0, begin - time.time()))
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < SECONDS:
        step()
        count += 1
    return count / (time.perf_counter() - begun)


def _setting(space: str, resolution: int) -> tuple[Any, Any, Any]:
    """Layers, recipe and random training data of a data set like Fashion-MNIST."""
    from search.spaces import preset
    from search.training.datasets import Arrays, Dataset, TrainingData
    from search.training.recipes import PRESETS, Recipe

    found = preset(space, classes=10, in_channels=1)
    values = found.values(found.reference) | {"resolution": resolution}
    layers = found.lower(found.encode(values))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(4096, 28, 28, 1), dtype=np.uint8)
    train = Arrays(images, rng.integers(0, 10, size=4096))
    known = Dataset("random", "Random", tuple("0123456789"), 28, 1, 4096, 64, 0, "0" * 64, "made up")
    recipe = Recipe(**(PRESETS["minutes"].to_json() | {"train_images": None, "learning_rate": 1e-4}))
    return layers, recipe, TrainingData(known, train, train[:64])


def _ours(space: str, resolution: int) -> Callable[[], object]:
    """The application's trainer, one step at a time."""
    from search.training.networks import build_network
    from search.training.process import prepare_process
    from search.training.trainer import Trainer

    prepare_process()
    layers, recipe, data = _setting(space, resolution)
    trainer = Trainer(build_network(layers, seed=0), data, recipe, seed=0, size=resolution)

    # An epoch calls back after each step; a thread hands that over, one step at a time.
    turn, ended = threading.Semaphore(0), threading.Semaphore(0)

    def after_step() -> None:
        ended.release()
        turn.acquire()

    def train() -> None:
        turn.acquire()
        while True:
            trainer.history = ()
            trainer.epoch(after_step)

    threading.Thread(target=train, daemon=True).start()

    def step() -> None:
        turn.release()
        ended.acquire()

    return step


def _bare(space: str, resolution: int) -> Callable[[], object]:
    """Forward, backward and optimiser of the same network on one batch."""
    import torch
    from torch.nn import functional

    from search.training.networks import build_network
    from search.training.optimisation import make_optimiser
    from search.training.process import prepare_process

    prepare_process()
    layers, recipe, _ = _setting(space, resolution)
    network = build_network(layers, seed=0).train()
    optimiser = make_optimiser(network, recipe)
    images = torch.rand(64, 1, resolution, resolution).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (64,))

    def step() -> float:
        optimiser.zero_grad()
        loss = functional.cross_entropy(network(images), labels, label_smoothing=recipe.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return loss.item()

    return step


def _plain(space: str, resolution: int) -> Callable[[], object]:
    """What one would write first: torch's modules in NCHW and its default optimiser."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(1)
    layers, recipe, data = _setting(space, resolution)
    network = _plain_network(layers).train()
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, weight_decay=2e-4, nesterov=True)
    small = functional.interpolate(
        torch.from_numpy(data.train.pixels()).permute(0, 3, 1, 2).float(), size=resolution, mode="bilinear"
    )
    labels = torch.from_numpy(data.train.labels)
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)

    def step() -> float:
        chosen = torch.randint(0, len(labels), (64,))
        shift = 2 * recipe.shift * (2 * torch.rand(64, 2) - 1)
        theta = torch.eye(2, 3).repeat(64, 1, 1)
        theta[:, :, 2] = shift
        grid = functional.affine_grid(theta, [64, 1, resolution, resolution], align_corners=False)
        images = functional.grid_sample(small[chosen], grid, padding_mode="border", align_corners=False)
        optimiser.zero_grad()
        loss = criterion(network((images - 73.0) / 90.0), labels[chosen])
        loss.backward()
        optimiser.step()
        return float(loss.item())

    return step


def _plain_network(layers: Any) -> Any:
    import torch
    from torch import nn

    from devices.operators import Operator

    def module(operator: Operator) -> nn.Module:
        if operator.kind in ("conv", "depthwise"):
            groups = operator.in_channels if operator.kind == "depthwise" else 1
            parts: list[nn.Module] = [
                nn.Conv2d(
                    operator.in_channels, operator.out_channels, operator.kernel, operator.stride,
                    operator.kernel // 2, groups=groups, bias=False,
                ),
                nn.BatchNorm2d(operator.out_channels),
            ]  # fmt: skip
            return nn.Sequential(*parts, *_activation(operator.activation))
        if operator.kind == "maxpool":
            return nn.MaxPool2d(operator.kernel, operator.stride, operator.kernel // 2)
        if operator.kind == "avgpool":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        if operator.kind == "linear":
            return nn.Linear(operator.in_channels, operator.out_channels)
        return nn.Sequential(*_activation(operator.activation))

    def _activation(name: str) -> list[nn.Module]:
        known: dict[str, list[nn.Module]] = {"none": [], "relu": [nn.ReLU()], "relu6": [nn.ReLU6()]}
        return known[name]

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList(module(layer.operator) for layer in layers)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            values: list[torch.Tensor] = []
            for layer, part in zip(layers, self.parts, strict=True):
                inputs = [images if index < 0 else values[index] for index in layer.inputs]
                values.append(part(inputs[0] + inputs[1]) if layer.operator.kind == "add" else part(*inputs))
            return values[-1]

    return Plain()


_VARIANTS = {"ours": _ours, "bare": _bare, "plain": _plain}

if __name__ == "__main__":
    main()
