"""The agent: measures what the server asks for, on the device itself.

    python chamnet-agent.pyz --server http://server:8000 --token chamnet_…

It keeps nothing that matters: the server knows what was measured, so an agent that was stopped, killed or cut
off goes on where it was when it is started again. It needs Python 3.10 and torch or onnxruntime.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devices.agent.client import Client, CorruptFileError, RefusedError
from devices.agent.engines import Engine, EngineMissingError, engine
from devices.agent.terminal import Terminal
from devices.meters import Meter, MeterError, available, measure_energy
from devices.timing import describe_machine, pinned, time_call

API = "/api/v1/agent"
ROUNDS_ALONE = 8  # of a network that is measured without others


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until it is stopped, or with --once until nothing is left to measure; 0 unless it gave up."""
    chosen = _parser().parse_args(arguments)
    terminal = Terminal(sys.stderr)
    client = Client(chosen.server, chosen.token, chosen.cache, terminal.waiting)
    try:
        return _serve(client, terminal, chosen)
    except (RefusedError, CorruptFileError, EngineMissingError, MeterError) as error:
        terminal.say(str(error))
        return 1
    except KeyboardInterrupt:
        terminal.say("Stopped. Start it again to go on where it was.")
        return 130


def _parser() -> argparse.ArgumentParser:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "chamnet-agent"
    parser = argparse.ArgumentParser(prog="chamnet-agent", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--server", required=True, help="the application's address, as in a browser")
    parser.add_argument("--token", default=os.environ.get("CHAMNET_TOKEN"), help="from the device's page")
    parser.add_argument("--once", action="store_true", help="end when nothing is left to measure")
    parser.add_argument(
        "--energy-command", help="a program that prints joules used so far (“12.3 J”) or power now (“4.5 W”)"
    )
    parser.add_argument("--cache", type=Path, default=cache, help=f"where files are kept (default {cache})")
    return parser


def _serve(client: Client, terminal: Terminal, chosen: argparse.Namespace) -> int:
    if not chosen.token:
        raise RefusedError("Give the token from the device's page: --token, or CHAMNET_TOKEN.")
    meters = available(chosen.energy_command)
    device = client.post(f"{API}/hello", {"machine": {}, "meters": [meter.describe() for meter in meters]})
    with pinned(device["threads"]):
        engine_ = engine(device["engine"], device["threads"])
        machine = describe_machine(engine_.name, device["threads"])
        described = [meter.describe() for meter in meters]
        client.post(f"{API}/hello", {"machine": machine, "meters": described})
        terminal.say(f"Measuring “{device['name']}” with {engine_.name}, {device['threads']} thread(s).")
        while True:
            work = client.get(f"{API}/work")
            if not work["items"]:
                if chosen.once and work["idle"]:
                    terminal.say(work["message"])
                    return 0
                terminal.idle(work["message"])
                time.sleep(work["wait_seconds"])
                continue
            terminal.progress(work["title"], work["done"], work["total"], work["message"])
            _send(client, terminal, work, _measured(client, engine_, work, device["batch_size"], meters))


def _measured(
    client: Client, engine_: Engine, work: dict[str, Any], batch_size: int, meters: Sequence[Meter]
) -> dict[str, Any]:
    """Visits every item once, in random order."""
    values: dict[str, list[float]] = {}
    facts: dict[str, Any] = {}
    items = random.sample(work["items"], len(work["items"]))
    with engine_.measuring():
        for item in items:
            shapes = [[batch_size, *shape] for shape in item["inputs"]]
            call = engine_.bind(client.content(item), shapes)
            if work["quantity"] == "energy":
                if not meters:
                    raise RefusedError(
                        "This device has no meter that the agent can read. Start it with --energy-command."
                    )
                found = measure_energy(call, meters[0])
                values[item["name"]] = [1000.0 * joules / batch_size for joules in found.joules_a_call]
                facts = found.facts()
            elif item["name"] == "network":
                values[item["name"]] = [us for _ in range(ROUNDS_ALONE) for us in time_call(call)]
            else:
                values[item["name"]] = time_call(call)
    return {"values": values, "facts": facts}


def _send(client: Client, terminal: Terminal, work: dict[str, Any], results: dict[str, Any]) -> None:
    try:
        client.post(work["results"], results)
    except RefusedError as error:
        terminal.say(f"These results were not taken: {error}")
        time.sleep(1.0)


if __name__ == "__main__":
    raise SystemExit(main())
