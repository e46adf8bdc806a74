"""How long pages take to answer an account with a lot in it, on this machine.

    python benchmarks/lists.py [--json]

Fills a temporary database with 10,000 runs, 2,000 searches, 1,000 predictors, a table of 100,000 operators
and a predictor of 5,000 samples, and asks for every list, the overview and the largest pages through Django's
test client, in one process, on SQLite. The figures of a page:

    milliseconds    the median of several answers, from the request to its last byte
    kilobytes       of the answer, not compressed
    queries         that it took
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

TIMES = 3


def addresses(filled: Any) -> dict[str, str]:
    table, predictor = filled.table.get_absolute_url(), filled.predictor.get_absolute_url()
    return {
        "overview": "/",
        "runs": "/runs/",
        "runs, failed, by time": "/runs/?status=failed&sort=-seconds&q=loss",
        "runs as CSV": "/runs/?format=csv",
        "devices": "/devices/",
        "tables": "/tables/",
        "datasets": "/datasets/",
        "recipes": "/recipes/",
        "predictors": "/predictors/",
        "predictors, by error": "/predictors/?sort=mae",
        "costs": "/costs/",
        "searches": "/searches/",
        "searches, of a device, by accuracy": f"/searches/?device={filled.device.pk}&sort=-accuracy",
        "models": "/models/",
        "studies": "/studies/",
        "a table": table,
        "a table, slowest first": f"{table}?sort=-minimum_us",
        "a table, learned ones": f"{table}?from=learned&q=c%3D7",
        "a table, last page": f"{table}?page=2000",
        "a table as CSV": f"{table}?table=operators&format=csv",
        "a predictor": predictor,
        "a predictor, best first": f"{predictor}?sort=-accuracy",
        "a predictor as CSV": f"{predictor}?table=samples&format=csv",
    }


def measure(client: Any, address: str) -> dict[str, Any]:
    """The figures of one page."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    taken, size = [], 0
    for _ in range(1 if "format=" in address else TIMES):
        begun = time.perf_counter()
        response = client.get(address)
        content = b"".join(response) if response.streaming else response.content
        taken.append(1000 * (time.perf_counter() - begun))
        size = len(content)
        assert response.status_code == 200, (address, response.status_code)
    with CaptureQueriesContext(connection) as captured:
        response = client.get(address)
        _ = list(response) if response.streaming else None
    return {
        "milliseconds": round(median(taken), 1),
        "kilobytes": round(size / 1000, 1),
        "queries": len(captured),
    }


def run() -> dict[str, Any]:
    """Figures by page; of a database that is gone afterwards."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.test import Client, override_settings

    from benchmarks.many_rows import Amounts, Filling

    call_command("migrate", verbosity=0)
    person = get_user_model().objects.create_user("ada", password="a long pass phrase")  # noqa: S106
    filled = Filling(person.teams.get(), Amounts()).fill()
    client = Client(SERVER_NAME="localhost")
    client.force_login(person)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES=settings.STORAGES | {"staticfiles": plain}):
        return {name: measure(client, address) for name, address in addresses(filled).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.environ["DATA_DIR"] = directory
        os.environ["DJANGO_SETTINGS_MODULE"] = "chamnet_web.settings"
        import django

        django.setup()
        found = run()
    if chosen.json:
        print(json.dumps(found, indent=2))
        return
    for name, figures in found.items():
        print(f"{name:<36}" + "".join(f"{value:10} {unit}" for unit, value in figures.items()))


if __name__ == "__main__":
    main()
