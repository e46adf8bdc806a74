"""Asks for known vulnerabilities of the packages that are pinned here; fails where there are any.

    python .ci/audit.py PIP_AUDIT

Where no advisories can be had, that is said, and nothing fails: it is no finding.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    findings = [*_python(sys.argv[1]), *_npm()]
    for finding in findings:
        print(f"VULNERABLE {finding}")
    return 1 if findings else 0


def _python(pip_audit: str) -> list[str]:
    options = [
        "-r",
        "requirements.txt",
        "--no-deps",
        "--disable-pip",
        "--progress-spinner",
        "off",
        "-f",
        "json",
    ]
    packages = _asked([pip_audit, *options]).get("dependencies", [])
    unknown = sum("skip_reason" in one for one in packages)
    print(f"Python: {len(packages) - unknown} packages audited; of {unknown} no advisories were reached.")
    return [
        f"{one['name']} {one['version']}: {found['id']}" for one in packages for found in one.get("vulns", [])
    ]


def _npm() -> list[str]:
    found = _asked(["npm", "audit", "--json"])
    if "vulnerabilities" not in found:
        print("npm: no advisories were reached.")
        return []
    print(f"npm: {found['metadata']['dependencies']['total']} packages audited.")
    return [f"{name}: {one['severity']}" for name, one in found["vulnerabilities"].items()]


def _asked(command: list[str]) -> dict[str, Any]:
    """What a program that prints JSON says, whatever its exit code; nothing where it says something else."""
    said = subprocess.run(  # noqa: S603  (the commands are our own)
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    try:
        found = json.loads(said.stdout)
    except ValueError:
        print(f"{command[0]}: {(said.stderr or said.stdout).strip()[-300:]}")
        return {}
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
