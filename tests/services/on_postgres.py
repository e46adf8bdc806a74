"""pytest on a PostgreSQL of its own.

    python -m tests.services.on_postgres -n 2 -m "not services and not browser"

The arguments are pytest's. The server is new and goes at the end; with `-n`, every worker has a database.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from tests.services.servers import MissingError, Postgres
from tests.serving import ROOT


def run_pytest(database: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own, on the database at an address; `options` are those of `run`."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": database}, text=True, check=False, **options,
    )  # fmt: skip


def main() -> None:
    try:
        postgres = Postgres()
    except MissingError as missing:
        raise SystemExit(str(missing)) from None
    try:
        postgres.start()
        code = run_pytest(postgres.create("tests"), *sys.argv[1:]).returncode
    finally:
        postgres.end()
    raise SystemExit(code)


if __name__ == "__main__":
    main()
