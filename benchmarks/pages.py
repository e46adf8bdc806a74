"""How fast the pages about a search are that has very many candidates, in Chromium.

    python benchmarks/pages.py [--candidates 50000] [--json]

Makes such a search in an installation of its own, serves it as a person would, and opens its pages. Times are
in milliseconds as the page's own clock tells them; bytes are what came over the wire, compressed, for the
document and all that it loads. The figures of each page:

    first_view   from the navigation to the first chart drawn, with nothing cached: least, median, most of the
                 visits
    again        the same once scripts and styles are cached, as they are after any other page
    ready        of the explorer: until all its columns are here and drawn
    updates      from the act to the frame that shows it: range, sort, page, point (hover), feasible; the
                 acts are a third of a second apart
    bytes        over the wire on a first visit, and of the largest answer
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Response, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.serving import Serving, free_port, installation  # noqa: E402  (after the path is known)

PASSWORD = "a long pass phrase"  # noqa: S105  (of an installation that lives as long as this script)
VISITS = 5
PAUSE_MS = 300  # between acts, as a person makes: the screen of the one before is painted
MAKE = """
from functools import partial
from django.contrib.auth import get_user_model
from search.spaces import preset
from tests.search.world import crowd, predictor_of, search_of, table_of
from tests.working import work_until_idle
owner = get_user_model().objects.create_user("ada", password={password!r}).teams.get()
wide = preset("chamnet-mobile")
ends = {{gene.name: (gene.choices[0], gene.choices[-1]) for gene in wide.genes
        if gene.name.rpartition(".")[2] in ("channels", "expansion")}}
space = preset("chamnet-mobile", **ends, resolution=wide.genes[0].choices[-1:])
work = partial(work_until_idle, kinds=("predictor", "search"))
search = search_of(owner, predictor_of(owner, work, space=space, samples=24), table_of(owner, space), work,
                   population=200, generations=100)
crowd(search, {count})
print("SEARCH", search.pk)
"""
# Resolves when what the act asks for is in the page and a frame with it was drawn.
SETTLED = """async ([act, done]) => {
  const begun = performance.now();
  await eval(act);
  while (!eval(done)) {
    if (performance.now() - begun > 10000) throw new Error(`never done: ${done}`);
    await new Promise((wake) => requestAnimationFrame(wake));
  }
  await new Promise((wake) => requestAnimationFrame(() => setTimeout(wake)));
  return performance.now() - begun;
}"""
CHART = """() => new Promise((found) => {
  const look = () => {
    const chart = globalThis.Chart && Object.values(Chart.instances)[0];
    const drawn = chart && chart.data.datasets.some((set) => set.data.length > 0);
    if (drawn) requestAnimationFrame(() => setTimeout(() => found(performance.now())));
    else setTimeout(look, 5);
  };
  look();
})"""
READY = """() => new Promise((found) => {
  const ready = () => document.documentElement.dataset.explorer === "ready";
  const look = () => ready() ? found(performance.now()) : setTimeout(look, 5);
  look();
})"""


def measure(browser: Browser, address: str, state: Any, path: str) -> dict[str, Any]:
    """First views and bytes of one page."""
    views, again, readies, sizes = [], [], [], []
    for _ in range(VISITS):
        context = browser.new_context(base_url=address, storage_state=state, bypass_csp=True)
        page = context.new_page()
        answers: list[Response] = []
        _keep(page, answers)
        page.goto(path, wait_until="commit")
        views.append(float(page.evaluate(CHART)))
        if path.startswith("/explore"):
            readies.append(float(page.evaluate(READY)))
        page.wait_for_load_state("networkidle")
        sizes.append([answer.request.sizes()["responseBodySize"] for answer in answers])
        page.goto(path, wait_until="commit")
        again.append(float(page.evaluate(CHART)))
        context.close()
    found: dict[str, Any] = {
        "first_view": _summary(views),
        "again": _summary(again),
        "bytes": sum(sizes[0]),
        "largest": max(sizes[0]),
    }
    return found | ({"ready": _summary(readies)} if readies else {})


def _keep(page: Page, answers: list[Response]) -> None:
    page.on("response", lambda answer: answers.append(answer))


def _summary(times: list[float]) -> dict[str, float]:
    return {"least": round(min(times)), "median": round(statistics.median(times)), "most": round(max(times))}


def updates(page: Page, acts: dict[str, Callable[[int], tuple[str, str]]]) -> dict[str, dict[str, float]]:
    """Each act's times, VISITS times over: `acts` give a script that acts, and one that tells it is done."""

    def timed(act: Callable[[int], tuple[str, str]], turn: int) -> float:
        page.wait_for_timeout(PAUSE_MS)
        return float(page.evaluate(SETTLED, list(act(turn))))

    return {name: _summary([timed(act, turn) for turn in range(VISITS)]) for name, act in acts.items()}


def _link(turn: int, selector: str) -> tuple[str, str]:
    """Follows a link of the table; done when the table is another element."""
    return (
        "globalThis.old = document.querySelector('[data-part]');"
        f'document.querySelector("{selector}").click()',
        "document.querySelector('[data-part]') !== globalThis.old",
    )


COUNT = "document.querySelector('[data-count]').textContent"


def _counted(act: str) -> tuple[str, str]:
    """Done when the count in words is another."""
    return f"globalThis.old = {COUNT}; {act}", f"{COUNT} !== globalThis.old"


def _typed(turn: int) -> tuple[str, str]:
    """Types the end of a range."""
    return _counted(
        "globalThis.field = document.querySelector(\"[name='to.latency_ms']\");"
        "globalThis.low = Number(document.querySelector(\"[name='from.latency_ms']\").placeholder);"
        f"field.value = low + (Number(field.placeholder) - low) * {0.48 - 0.02 * turn};"
        "field.dispatchEvent(new Event('input', {bubbles: true}))"
    )


def _typed_table(turn: int) -> tuple[str, str]:
    act, _ = _typed(turn + VISITS)
    return (
        f"globalThis.part = document.querySelector('[data-part]'); {act}",
        "document.querySelector('[data-part]') !== globalThis.part",
    )


def _feasible(turn: int) -> tuple[str, str]:
    return _counted("document.querySelector(\"[name='feasible']\").click()")


def _point(turn: int) -> tuple[str, str]:
    """The pointer on a row of the table: the row is marked in the table and its network drawn."""
    return (
        f"globalThis.row = document.querySelectorAll('[data-part] tbody tr')[{3 + turn}];"
        "row.dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))",
        "row.classList.contains('is-highlighted')",
    )


def _glance(turn: int) -> tuple[str, str]:
    act, _ = _point(turn + VISITS)
    return (
        f"globalThis.shown = document.querySelector('[data-glance]'); {act}",
        "document.querySelector('[data-glance]') !== globalThis.shown",
    )


EXPLORER: dict[str, Callable[[int], tuple[str, str]]] = {
    "point": _point,
    "point, its drawing": _glance,
    "sort": lambda turn: _link(turn, "[data-part] th:nth-of-type(3) a"),
    "page": lambda turn: _link(turn, "[data-part] [rel=next]"),
    "feasible": _feasible,
    "range": _typed,
    "range, its table": _typed_table,
}
SEARCH = {name: EXPLORER[name] for name in ("point", "page", "sort")}


def sign_in(browser: Browser, address: str) -> Any:
    context = browser.new_context(base_url=address)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    state = context.storage_state()
    context.close()
    return state


def run(count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        environment = installation(Path(directory))
        command = [sys.executable, "manage.py", "shell", "-c", MAKE.format(password=PASSWORD, count=count)]
        said = subprocess.run(  # noqa: S603  (our own program)
            command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        search = said.stdout.rpartition("SEARCH ")[2].strip()
        port = free_port()
        serving = Serving(environment, port)
        try:
            serving.wait_until_open()
            return {"candidates": count} | _pages(f"http://127.0.0.1:{port}", search)
        finally:
            if serving.process.poll() is None:
                serving.stop(signal.SIGINT)
            serving.end()


def _pages(address: str, search: str) -> dict[str, Any]:
    path = shutil.which("chromium")
    assert path is not None, "This drives Debian's chromium: apt-get install chromium"
    pages = {"search": f"/searches/{search}/", "explore": f"/explore/?search={search}"}
    found: dict[str, Any] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        state = sign_in(browser, address)
        for name, address_of in pages.items():
            found[name] = measure(browser, address, state, address_of)
            context = browser.new_context(base_url=address, storage_state=state, bypass_csp=True)
            page = context.new_page()
            page.goto(address_of, wait_until="networkidle")
            found[name]["updates"] = updates(page, EXPLORER if name == "explore" else SEARCH)
            context.close()
        browser.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Pages about a search with very many candidates.")
    parser.add_argument("--candidates", type=int, default=50_000)
    parser.add_argument("--json", action="store_true", help="on one line")
    choices = parser.parse_args()
    print(json.dumps(run(choices.candidates), indent=None if choices.json else 2))


if __name__ == "__main__":
    main()
