"""The command `chamnet`: a server's devices, predictors, searches and models from a terminal.

It ends with 0; 1 for what the server refused or a run that failed; 2 for a wrong use; 3 for a server that
does not answer; 4 for nobody who is logged in.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from chamnet_web.client.client import Client, RunEndedError
from chamnet_web.client.login import Login, NotLoggedInError, recall, remember
from chamnet_web.client.showing import Facts, as_json, following, listed, said
from chamnet_web.client.transport import ApiError, UnreachableError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and no progress.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end.")]

REFUSED, UNREACHABLE, UNKNOWN = 1, 3, 4
LISTS = {
    "devices": ("id", "name", "kind", "engine", "threads"),
    "tables": ("id", "version", "space", "status", "operators"),
    "spaces": ("id", "label", "size"),
    "datasets": ("key", "label", "classes", "train_images"),
    "recipes": ("key", "name", "note"),
    "predictors": ("id", "name", "space", "dataset", "budget", "status"),
    "searches": ("id", "name", "latency_limit_ms", "status"),
    "models": ("id", "test_accuracy", "latency_ms", "status"),
    "studies": ("id", "name", "status"),
    "runs": ("id", "kind", "title", "status", "done", "total"),
}


@app.command()
def login(
    url: str,
    token: Annotated[str, typer.Option(envvar="CHAMNET_TOKEN", prompt=True, hide_input=True)],
) -> None:
    """Remember a server and an access token, made on your account's page."""
    next(Client(url, token).devices(limit=1), None)
    said(f"Logged in to {url}. The token is in {remember(Login(url, token))}.")


@app.command("list")
def list_things(
    what: Annotated[str, typer.Argument(help=", ".join(LISTS))],
    most: Annotated[int, typer.Option(help="How many, at most.")] = 50,
    json: Json = False,
) -> None:
    """List devices, tables, spaces, predictors, searches, models, runs …"""
    if what not in LISTS:
        raise typer.BadParameter(f"There are {', '.join(LISTS)}.")
    rows = list(islice(getattr(_client(), what)(), most))
    if json:
        as_json(rows)
        return
    listed(rows, LISTS[what])


@app.command()
def candidates(search: str, most: int = 20, json: Json = False) -> None:
    """List the candidates of a search, the best first."""
    rows = list(islice(_client().candidates(search), most))
    if json:
        as_json(rows)
        return
    listed(rows, ("id", "rank", "accuracy", "latency_ms", "multiply_adds", "parameters"))


@app.command()
def register(
    name: str,
    kind: Annotated[str, typer.Option(help="mobile-cpu, server-cpu, gpu, dsp, microcontroller, other")] = (
        "server-cpu"
    ),
    engine: str = "torchscript",
    threads: int = 1,
    this_machine: Annotated[bool, typer.Option(help="The server's workers run on it.")] = False,
    json: Json = False,
) -> None:
    """Register a device."""
    made = _client().register(name, kind, engine=engine, threads=threads, is_this_machine=this_machine)
    _made(made, json)


@app.command()
def profile(device: str, space: str, wait: Wait = True, json: Json = False) -> None:
    """Measure a device's latency table for a space (both by name or id)."""
    client = _client()
    chosen = _one(client.devices(), device, "device"), _one(client.spaces(), space, "space")
    _follow(client, client.profile(chosen[0]["id"], chosen[1]["id"]), "/tables/{id}", wait=wait, json=json)


@app.command()
def build(
    name: str,
    space: str = "chamnet-mobile-small",
    dataset: str = "digits",
    recipe: str = "seconds",
    budget: int = 40,
    initial: int = 12,
    seed: int = 0,
    wait: Wait = True,
    json: Json = False,
) -> None:
    """Build an accuracy predictor."""
    client = _client()
    made = client.build(name, space, dataset, recipe=recipe, budget=budget, initial=initial, seed=seed)
    _follow(client, made, "/predictors/{id}", wait=wait, json=json)


@app.command()
def search(
    name: str,
    predictor: Annotated[str, typer.Option(help="Its name or id.")],
    table: Annotated[str, typer.Option(help="A latency table's id.")],
    limit_ms: Annotated[float, typer.Option(help="Milliseconds.")],
    population: int = 96,
    generations: int = 100,
    confidence: float = 0.9,
    seed: int = 0,
    wait: Wait = True,
    json: Json = False,
) -> None:
    """Search for the most accurate networks within a latency limit."""
    client = _client()
    chosen = _one(client.predictors(), predictor, "predictor")
    made = client.search(
        name, chosen["id"], table, limit_ms, population=population, generations=generations,
        confidence=confidence, seed=seed,
    )  # fmt: skip
    _follow(client, made, "/searches/{id}", wait=wait, json=json)


@app.command()
def train(
    candidate: str, recipe: str = "minutes-final", seed: int = 0, wait: Wait = True, json: Json = False
) -> None:
    """Train a candidate to the end."""
    client = _client()
    _follow(client, client.train(candidate, recipe, seed), "/models/{id}", wait=wait, json=json)


@app.command()
def download(model: str, file_format: str = "torchscript", folder: Path = Path()) -> None:
    """Fetch a file of a model; its SHA-256 is looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    typer.echo(str(_client().download(model, file_format, folder)))


@app.command()
def watch(run: str, json: Json = False) -> None:
    """Follow a run to its end."""
    client = _client()
    with following(client.run(run)["title"], quiet=json) as show:
        ended = client.wait(run, show)
    _made(ended, json)


@app.command()
def act(run: str, action: str, json: Json = False) -> None:
    """Pause, resume, cancel or stop a run."""
    _made(_client().act(run, action), json)


def main() -> None:
    """Runs the command and ends the program."""
    try:
        app()
    except ApiError as error:
        _end(UNKNOWN if error.status == 401 else REFUSED, " ".join([error.detail, *_further(error)]))
    except RunEndedError as error:
        _end(REFUSED, str(error))
    except UnreachableError as error:
        _end(UNREACHABLE, str(error))
    except NotLoggedInError as error:
        _end(UNKNOWN, str(error))
    except (ValueError, OSError) as error:
        _end(REFUSED, str(error))


def _further(error: ApiError) -> list[str]:
    return [f"({problem})" for problem in error.problems if not problem.endswith(error.detail)]


def _end(code: int, sentence: str) -> None:
    said(sentence)
    sys.exit(code)


def _client() -> Client:
    known = recall()
    return Client(known.url, known.token)


def _one(rows: Any, wanted: str, what: str) -> Facts:
    """The row that is called so, or has this id."""
    for row in rows:
        if wanted in (row["id"], row["name"], row.get("label")):
            found: Facts = row
            return found
    raise ApiError(404, f"There is no {what} “{wanted}”.")


def _follow(client: Client, made: Facts, path: str, *, wait: bool, json: bool) -> None:
    """Waits for what was begun, and prints it as it is then."""
    if wait:
        with following(made["run"]["title"], quiet=json) as show:
            client.wait(made["run"]["id"], show)
        made = client.get(path.format(id=made["id"]))
    _made(made, json)


def _made(found: Facts, json: bool) -> None:
    """The whole of it for machines, for people its id."""
    if json:
        as_json(found)
    else:
        typer.echo(found["id"])
