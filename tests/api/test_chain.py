"""From a device to a file, by the API alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chamnet_web.accounts.models import Team
from search.forms import predictors as forms
from search.services import catalogue
from tests.api.conftest import Caller
from tests.search.conftest import tiny_recipes
from tests.search.world import csv_of, table_of, tiny_space

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tiny_recipes", "tiny_spaces")]
__all__ = ["tiny_recipes"]
Work = Callable[..., int]


@pytest.fixture
def tiny_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every preset stands for the same few networks."""
    monkeypatch.setattr(forms, "space_for", tiny_space)
    monkeypatch.setattr(catalogue, "space_for", tiny_space)


def test_the_whole_chain_goes_by_the_api(caller: Caller, owner: Team, work: Work) -> None:
    device = caller.post("/devices", {"name": "Here", "kind": "server-cpu", "is_this_machine": True})
    space = tiny_space()
    assert space.id in {one["id"] for one in caller.get("/spaces?limit=100")["items"]}
    begun = caller.post(f"/devices/{device['id']}/tables", {"space": space.id})
    caller.post(f"/runs/{begun['run']['id']}/actions/cancel", status=200)
    table = caller.get(f"/tables/{table_of(owner).pk}")  # made up: measuring takes longer than it tells
    build = {"name": "P", "space": "chamnet-mobile-small", "dataset": "digits", "budget": 6, "initial": 4}
    predictor = caller.post("/predictors", build)
    work()
    for path in (f"/tables/{table['id']}", f"/predictors/{predictor['id']}"):
        assert caller.get(path)["run"]["status"] == "succeeded"
    measured = caller.get(f"/tables/{table['id']}")
    assert measured["operators"] == measured["coverage"]["covered"] > 5
    assert len(measured["points"]) == 10
    operators = caller.get(f"/tables/{table['id']}/operators?sort=-minimum_us&limit=2")
    assert operators["items"][0]["minimum_us"] >= operators["items"][1]["minimum_us"]
    assert caller.get(operators["next"])["items"][0]["minimum_us"] <= operators["items"][1]["minimum_us"]
    samples = caller.get(f"/predictors/{predictor['id']}/samples")
    assert samples["count"] == 6
    assert all(0 < one["accuracy"] < 1 for one in samples["items"])

    asked = {
        "name": "S",
        "predictor": predictor["id"],
        "table": table["id"],
        "population": 8,
        "generations": 2,
    }
    refused = caller.post("/searches", asked | {"latency_limit_ms": 1e-5}, 422)
    assert "Enter" in refused["detail"]
    assert refused["problems"][0].startswith("latency_limit_ms: The fastest network")
    limits = [{"of": f"table:{table['id']}", "maximum": 1000}]
    twice = caller.post("/searches", asked | {"latency_limit_ms": 1000, "limits": limits}, 422)
    assert twice["problems"] == ["limits.0.of: This has a limit already. Choose something else."]
    search = caller.post("/searches", asked | {"latency_limit_ms": 1000})
    work()
    found = caller.get(f"/searches/{search['id']}")
    assert found["run"]["status"] == "succeeded"
    assert found["generation_count"] >= 2
    front = caller.get(f"/searches/{search['id']}/front")
    kept = caller.post(f"/searches/{search['id']}/front", {"index": front["count"] - 1})
    best = caller.get(f"/searches/{search['id']}/candidates")["items"][0]
    assert best["rank"] == 1
    assert kept["search_id"] == search["id"]
    layers = caller.get(f"/candidates/{best['id']}")["layers"]
    assert all(layer["latency_us"] > 0 for layer in layers)

    model = caller.post(f"/candidates/{best['id']}/train", {"recipe": "seconds-final"})
    work()
    trained = caller.get(f"/models/{model['id']}")
    assert trained["run"]["status"] == "succeeded", trained["run"]["reason"]
    assert trained["is_verified"]
    file = next(one for one in trained["files"] if one["format"] == "torchscript")
    answer = caller("get", f"/models/{model['id']}/files/torchscript")
    assert hashlib.sha256(b"".join(answer.streaming_content)).hexdigest() == file["sha256"]
    assert "Test accuracy" in caller("get", f"/models/{model['id']}/card").content.decode()
    timing = caller.post(f"/models/{model['id']}/timings", {"device_id": device["id"]})
    assert timing["device_id"] == device["id"]
    assert caller.get(f"/models/{model['id']}/timings")["count"] >= 1
    stated = caller("put", f"/models/{model['id']}/licence", {"licence": "CC-BY-4.0"}).json()
    assert stated["licence"] == "CC-BY-4.0"


def test_what_was_trained_or_measured_elsewhere_comes_in_as_text(caller: Caller, work: Work) -> None:
    space = tiny_space()
    device = caller.post("/devices", {"name": "Elsewhere", "kind": "gpu", "engine": "external"})
    accuracies = csv_of(space, "accuracy", lambda one: 0.5 + one.multiply_adds / 1e8)
    asked = {"name": "P", "space": "chamnet-mobile-small", "dataset": "digits", "origin": "a paper"}
    predictor = caller.post("/predictors/import", asked | {"csv": accuracies})
    wrong = caller.post("/predictors/import", asked | {"name": "Q", "csv": "nonsense\n1\n"}, 422)
    assert wrong["problems"][0].startswith("csv: ") or wrong["problems"][0].startswith("file: ")
    energies = csv_of(space, "energy_mj", lambda one: one.multiply_adds / 1e5)
    asked = {"quantity": "energy", "space": space.id, "meter": "a meter", "csv": energies}
    cost = caller.post(f"/devices/{device['id']}/costs/import", asked)
    lines = "name,top1,latency_us\nTheirs,75.2,1500\n"
    published = caller.post("/published", {"name": "Others", "csv": lines})
    assert published["points"] == [["Theirs", 0.752, 1.5]]
    assert caller.get("/published")["items"] == [published]
    work()
    assert caller.get(f"/predictors/{predictor['id']}")["quality"]["mae"] < 0.1
    assert caller.get(f"/costs/{cost['id']}")["networks"] == 12


def test_runs_are_steered_and_over_once_they_are(caller: Caller) -> None:
    build = {"name": "P", "space": "chamnet-mobile-small", "dataset": "digits", "budget": 6, "initial": 4}
    run = caller.post("/predictors", build)["run"]
    act = f"/runs/{run['id']}/actions"
    assert caller.post(f"{act}/pause", status=200)["status"] == "paused"
    assert caller.post(f"{act}/resume", status=200)["status"] in ("queued", "running")
    assert [one["id"] for one in caller.get("/runs?unfinished=true&kind=predictor")["items"]] == [run["id"]]
    assert caller.post(f"{act}/cancel", status=200)["status"] == "cancelled"
    assert "is cancelled" in caller.post(f"{act}/pause", status=409)["detail"]
    assert "pause" in caller.post(f"{act}/dance", status=404)["detail"]
    assert caller.get("/runs?unfinished=true")["count"] == 0
    assert "cancelled" in caller("get", f"/runs/{run['id']}/log").content.decode()


def test_a_data_set_comes_in_pieces(caller: Caller) -> None:
    state = caller.post("/uploads", {"name": "images.zip", "size": 10})
    address = f"/api/v1/uploads/{state['id']}"

    def send(offset: int, content: bytes) -> tuple[int, dict[str, object]]:
        answer = caller.browser.put(
            f"{address}?offset={offset}",
            content,
            content_type="application/octet-stream",
            headers=caller.headers,
        )
        return answer.status_code, answer.json()

    assert send(0, b"12345")[1]["received"] == 5
    assert send(0, b"12345")[1]["received"] == 5
    assert send(7, b"890")[0] == 409
    assert caller.post("/uploads", {"name": "images.zip", "size": 10}, 200)["received"] == 5
    unfinished = caller.post("/datasets", {"name": "Mine", "upload": state["id"]}, 422)
    assert "not complete" in unfinished["detail"]
    assert send(5, b"67890")[1]["received"] == 10
    made = caller.post("/datasets", {"name": "Mine", "upload": state["id"]})
    assert made["run"]["status"] == "queued"
    assert caller.get(f"/uploads/{state['id']}", 404)["detail"]


def test_a_recipe_is_a_preset_with_changes(caller: Caller) -> None:
    made = caller.post(
        "/recipes", {"name": "mine", "start": "minutes", "values": {"epochs": 3, "flip": True}}
    )
    assert (made["values"]["epochs"], made["values"]["flip"]) == (3, True)
    assert caller.get(f"/recipes/{made['id']}") == made
    wrong = caller.post("/recipes", {"name": "x", "values": {"epochs": -1, "learning_rate": [1]}}, 422)
    assert {one.partition(":")[0] for one in wrong["problems"]} >= {"learning_rate"}
    assert "momentous" in caller.post("/recipes", {"name": "x", "values": {"momentous": 1}}, 422)["detail"]


def test_lists_ask_no_more_of_the_database_when_they_are_longer(caller: Caller) -> None:
    build = {"space": "chamnet-mobile-small", "dataset": "digits", "budget": 6, "initial": 4}
    counts = []
    for number in range(3):
        caller.post("/predictors", build | {"name": f"P{number}"})
        device = caller.post("/devices", {"name": f"D{number}", "kind": "gpu"})
        caller.post(f"/devices/{device['id']}/tables", {"space": tiny_space().id})
        with CaptureQueriesContext(connection) as queries:
            for path in ("/predictors", "/tables", "/devices", "/runs"):
                caller.get(path)
        counts.append(len(queries))
    assert counts[1] == counts[2]
