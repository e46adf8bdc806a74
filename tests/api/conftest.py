"""People with tokens, and one object of every kind that the API's addresses name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client

from chamnet_web.accounts.models import AccessToken, Team, User
from chamnet_web.api.routes import api, operations
from devices.models import DeviceToken, KernelFile, LatencyTable
from devices.runs.models import Run, Step
from devices.runs.services import start_run
from search.models import Candidate, Search
from search.services.catalogue import measurable_spaces
from search.services.costs import import_costs
from search.services.datasets import begin_upload, inspect_built_in
from search.services.models import start_model
from search.services.studies import start_study
from search.spaces import ENERGY_UNITS, Architecture, read_records
from tests.search.world import begin_predictor, csv_of, finish, table_of, tiny_space


@pytest.fixture(autouse=True)
def _counts_from_zero() -> Iterator[None]:
    caches["rates"].clear()
    yield
    caches["rates"].clear()


class Caller:
    """A program with a token, or without any."""

    def __init__(self, token: str | None = None) -> None:
        self.headers = {"authorization": f"Bearer {token}"} if token else {}
        self.browser = Client()

    def __call__(self, method: str, path: str, data: Any = None, **headers: str) -> Any:
        address = path if path.startswith("/api/") else f"/api/v1{path}"
        options: dict[str, Any] = {"headers": self.headers | headers}
        if data is not None:
            options |= {"data": data, "content_type": "application/json"}
        return getattr(self.browser, method.lower())(address, **options)

    def get(self, path: str, status: int = 200) -> Any:
        answer = self("get", path)
        assert answer.status_code == status, answer.content
        return answer.json()

    def post(
        self, path: str, data: Any = None, status: int = 201, headers: dict[str, str] | None = None
    ) -> Any:
        answer = self("post", path, {} if data is None else data, **(headers or {}))
        assert answer.status_code == status, answer.content
        return answer.json()


def token_of(user: User, scope: str = "write") -> str:
    return AccessToken.issue(user=user, team=user.teams.get(), name="a test", scope=scope)[1]


@pytest.fixture
def caller(ada: User) -> Caller:
    return Caller(token_of(ada))


@pytest.fixture
def other(stranger: User) -> Caller:
    return Caller(token_of(stranger))


@dataclass
class Scene:
    """Objects of the owner's by the names that addresses have for them."""

    objects: dict[str, Any]
    device_token: str
    run: Run
    search: Search

    def path(self, template: str) -> str:
        asked = "?space=chamnet-mobile-small&dataset=digits" if template.endswith("/estimate") else ""
        return template.format(**self.objects) + asked


@pytest.fixture
def scene(owner: Team, settings: Any) -> Scene:
    """Nothing of it is worked on: it is there to be asked for."""
    table = table_of(owner)
    predictor = begin_predictor(owner)
    search = searched(owner, predictor, table)
    candidate = found(search)
    space = tiny_space()
    text = csv_of(space, "energy_mj", lambda one: one.multiply_adds / 1e5)
    records = read_records(text.splitlines(), space, ENERGY_UNITS, lowest=0.0, highest=1e9)
    cost = import_costs(owner=owner, device=table.device, space=space, records=records, meter="none")
    study = start_study(
        owner=owner, name="A study", predictor=predictor, table=table, recipe="seconds", limits=[1.0],
        seeds=1, confidence=0.5, population=8, generations=2,
    )  # fmt: skip
    (_, text), (spare, _) = DeviceToken.issue(table.device), DeviceToken.issue(table.device)
    kernel = KernelFile.objects.create(engine="torchscript", digest="1" * 64, sha256="2" * 64, size=1)
    objects = {
        "device_id": table.device_id, "table_id": table.pk, "predictor_id": predictor.pk,
        "search_id": search.pk, "candidate_id": candidate.pk, "cost_id": cost.pk, "study_id": study.pk,
        "model_id": start_model(owner=owner, network=candidate, recipe="seconds-final", seed=0).pk,
        "dataset_id": inspect_built_in(owner, "digits").pk,
        "upload_id": begin_upload(owner, "images.zip", 100).pk,
        "run_id": predictor.run_id, "token_id": spare.pk,
        "space_id": next(iter(measurable_spaces(owner))), "recipe_id": "minutes", "name": "digits",
        "file_format": "csv",
        "action": "pause", "number": 0, "network_id": 1, "sha256": kernel.sha256,
    }  # fmt: skip
    return Scene(objects, text, predictor.run, search)


def searched(owner: Team, predictor: Any, table: LatencyTable) -> Search:
    run = start_run(owner=owner, kind="search", title="S", first_step="search.begin", queue=Step.Queue.LIGHT)
    return Search.objects.create(
        owner=owner, run=run, name="S", predictor=predictor, table=table, latency_limit_ms=1.0,
        population=8, generations=2, seed=0,
    )  # fmt: skip


def found(search: Search) -> Candidate:
    space = search.predictor.space.load()
    architecture = Architecture(space, (0,) * len(space.genes))
    numbers = dict.fromkeys(
        ("accuracy", "accuracy_low", "accuracy_high", "latency_ms", "latency_low_ms", "latency_high_ms"), 0.5
    )
    return Candidate.objects.create(
        search=search, rank=1, architecture_id=architecture.id, genes=list(architecture.genes),
        meets_limit=1.0, multiply_adds=1, parameters=1, limits=[], on_front=True, **numbers,
    )  # fmt: skip


def least_body(operation: dict[str, Any]) -> Any:
    """The smallest body that an operation's schema takes; None where it takes no JSON."""
    schema = body_schema(operation)
    return None if schema is None else _least(schema)


def body_schema(operation: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of an operation's JSON body; None where it takes none."""
    found: dict[str, Any] | None = (
        operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    )
    return _schemas()[found["$ref"].rpartition("/")[2]] if found and "$ref" in found else found


def _least(schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _least(_schemas()[schema["$ref"].rpartition("/")[2]])
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: _least(schema["properties"][name]) for name in schema.get("required", [])}
    if kind == "array":
        return [_least(schema["items"])] * schema.get("minItems", 0)
    if kind == "string":
        return "01234567-0123-4567-89ab-0123456789ab" if schema.get("format") == "uuid" else "x"
    return 1


@cache
def _schemas() -> dict[str, Any]:
    found: dict[str, Any] = api.get_openapi_schema()["components"]["schemas"]
    return found


def every(*, but: str = "/agent/") -> list[Any]:
    """Every operation as a parameter of a test: method, path, what the document says of it."""
    return [
        (method, path, operation) for path, method, operation in operations() if not but or but not in path
    ]


Ask = Callable[..., Any]
__all__ = ["Caller", "Scene", "body_schema", "every", "finish", "least_body", "token_of"]
