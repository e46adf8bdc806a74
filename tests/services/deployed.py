"""Follows docs/operations.md from a clean clone, and uses what came of it as a person does.

    python -m tests.services.deployed --json

A fresh clone is set up by `make install` against an empty PostgreSQL; the commands of the systemd units run
beside a Redis; nginx serves it with the project's configuration and a certificate made for it. Chromium then
signs in through it, starts the quick start with two train workers, follows it to the end without a reload,
and downloads the model, whose SHA-256 is compared. Needs nginx and openssl besides what the tests need.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import FLAGS
from tests.services.servers import Postgres, Redis, program
from tests.serving import ROOT, free_port, wait_until

NAME = "chamnet.example"
PASSWORD = "correct horse battery"
RUN_SECONDS = 1200


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    postgres, redis = Postgres(), Redis()
    with tempfile.TemporaryDirectory(prefix="chamnet-deployed-") as folder:
        try:
            postgres.start()
            redis.start()
            found = deploy(Path(folder), postgres, redis)
        finally:
            postgres.end()
            redis.end()
    print(json.dumps(found, indent=1) if as_json else "\n".join(f"{k}: {v}" for k, v in found.items()))


def deploy(folder: Path, postgres: Postgres, redis: Redis) -> dict[str, Any]:
    """What was seen: seconds of the set-up and of the quick start, headers, cookies, the file."""
    clone, port = folder / "chamnet", free_port()
    # A worktree, too, is cloned by its own commit.
    commit = _said("git", "-C", str(ROOT), "rev-parse", "HEAD")
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    subprocess.run(["git", "-C", str(clone), "checkout", "-q", commit], check=True)
    environment = _environment(port, postgres.create("chamnet"), redis.url())
    begun = time.monotonic()
    subprocess.run(
        ["make", "install"], cwd=clone, env=environment, check=True, stdout=sys.stderr, stderr=sys.stderr
    )
    found: dict[str, Any] = {"commit": commit, "make_install_seconds": round(time.monotonic() - begun)}
    said = _said(clone / ".venv/bin/python", "manage.py", "first_account", cwd=clone, env=environment)
    once = re.search(r"one-time password (\S+)", said)
    assert once is not None, said
    with _units(clone, environment, folder), _nginx(folder, port) as (address, plain):
        assert wait_until(lambda: _status(address + "/health/ready") == 200, 90), _logs(folder)
        found |= {
            "redirects_to_tls": _redirect(plain),
            "metrics_through_the_proxy": _status(address + "/metrics"),
        }
        found |= _as_a_person(address, once[1], folder)
        found["units"] = sorted(path.stem for path in (clone / "docs/deploy/systemd").iterdir())
    found["tracebacks_in_logs"] = _logs(folder).count("Traceback")
    return found


def _environment(port: int, database: str, redis: str) -> dict[str, str]:
    """The settings that the document names; HOST and PORT are its proxy's."""
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PIP_FIND_LINKS") if name in os.environ
    }
    return kept | {
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "SECRET_KEY": hashlib.sha256(os.urandom(32)).hexdigest(),
        "PORT": str(port),
        "ALLOWED_HOSTS": NAME,
        "CSRF_TRUSTED_ORIGINS": f"https://{NAME}",
        "BEHIND_TLS": "yes",
        "LOG_FORMAT": "json",
    }


@contextlib.contextmanager
def _units(clone: Path, environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    """The processes of the systemd units, started as the units say, with two train workers."""
    processes = []
    for unit in sorted((clone / "docs/deploy/systemd").glob("*.service")):
        lines = unit.read_text().splitlines()
        (command,) = (line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart="))
        own = dict(
            line.removeprefix("Environment=").split("=", 1)
            for line in lines
            if line.startswith("Environment=")
        )
        with (folder / f"{unit.stem}.log").open("wb") as log:
            processes.append(
                subprocess.Popen(
                    shlex.split(command.replace("/srv/chamnet", str(clone))),
                    cwd=clone,
                    env={**environment, "TRAIN_WORKERS": "2", **own},
                    stdout=log,
                    stderr=log,
                )
            )
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(30) for process in processes]
    assert codes == [0] * len(codes), codes


@contextlib.contextmanager
def _nginx(folder: Path, port: int) -> Iterator[tuple[str, str]]:
    """The proxy with the document's configuration, on free ports; its addresses with and without TLS."""
    plain, tls, home = free_port(), free_port(), folder / "nginx"
    home.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}",
         "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1",
         "-keyout", str(home / "key.pem"), "-out", str(home / "cert.pem")],
        check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    server = (ROOT / "docs/deploy/nginx.conf").read_text()
    for written, meant in (
        ("127.0.0.1:8000", f"127.0.0.1:{port}"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{tls} ssl;"),
        ("/etc/ssl/chamnet.pem", str(home / "cert.pem")),
        ("/etc/ssl/chamnet.key", str(home / "key.pem")),
    ):
        assert written in server, written
        server = server.replace(written, meant)
    temporary = "".join(
        f"{kind}_temp_path {home}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (home / "nginx.conf").write_text(
        f"daemon off;\npid {home}/pid;\nerror_log {home}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{server}\n}}\n"
    )
    os.chmod(folder, 0o755)
    process = subprocess.Popen([program("nginx", "nginx-light"), "-c", str(home / "nginx.conf")])
    try:
        yield f"https://127.0.0.1:{tls}", f"http://127.0.0.1:{plain}"
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(20)


def _as_a_person(address: str, once: str, folder: Path) -> dict[str, Any]:
    """From signing in to a file, in Chromium, by the name that the settings allow."""
    port = address.rpartition(":")[2]
    rules = f"--host-resolver-rules=MAP {NAME}:443 127.0.0.1:{port}"
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, rules])
        context = browser.new_context(base_url=f"https://{NAME}", ignore_https_errors=True)
        page = context.new_page()
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        answer = page.goto("/")
        assert answer is not None
        _sign_in(page, once)
        begun = time.monotonic()
        page.get_by_role("button", name="Start it").click()
        run = page.locator("[data-run]").first
        expect(run).to_be_attached()
        expect(run).to_have_attribute(
            "data-status", re.compile("succeeded|failed|cancelled"), timeout=1000 * RUN_SECONDS
        )
        assert run.get_attribute("data-status") == "succeeded", page.locator("main").inner_text()
        seconds = round(time.monotonic() - begun)
        page.get_by_role("link", name="Open the model").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download TorchScript").first.click()
        download.value.save_as(folder / "model.pt")
        shown = page.locator("td.sha code").first.get_attribute("title")
        cookies = {one.get("name", ""): one.get("secure") for one in context.cookies()}
        browser.close()
    return {
        "quick_start_seconds": seconds,
        "sockets": len(sockets),
        "sockets_over_tls": all(url.startswith("wss://") for url in sockets),
        "secure_cookies": cookies,
        "hsts": answer.headers.get("strict-transport-security"),
        "file_bytes": (folder / "model.pt").stat().st_size,
        "sha256_as_shown": hashlib.sha256((folder / "model.pt").read_bytes()).hexdigest() == shown,
    }


def _sign_in(page: Page, once: str) -> None:
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(once)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Old password").fill(once)
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label(re.compile("confirmation")).fill(PASSWORD)
    page.get_by_role("button", name="Save the password").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def _status(address: str) -> int:
    """The status of an answer by the installation's name; 0 where there is none."""
    request = urllib.request.Request(address, headers={"Host": NAME})
    unchecked = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(request, context=unchecked, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _redirect(plain: str) -> bool:
    """Whether an address without TLS leads to the one with it."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any) -> None:
            return None

    request = urllib.request.Request(plain + "/devices/", headers={"Host": NAME})
    try:
        urllib.request.build_opener(Stay).open(request, timeout=10)
    except urllib.error.HTTPError as error:
        return error.code == 301 and error.headers["Location"] == f"https://{NAME}/devices/"
    return False


def _logs(folder: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in sorted(folder.glob("*.log")))


def _said(*command: str | Path, **options: Any) -> str:
    done = subprocess.run(
        [str(one) for one in command], check=True, capture_output=True, text=True, **options
    )
    return str(done.stdout).strip()


if __name__ == "__main__":
    main()
