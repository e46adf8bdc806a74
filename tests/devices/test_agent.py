"""The API that agents speak; tests/test_agent_process.py runs an agent against it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client as Browser

from chamnet_web.accounts.models import Team, User
from devices.agents import agent_program
from devices.models import Device, DeviceToken, KernelFile, LatencyTable
from devices.runs.models import Run
from devices.runs.services import cancel, pause
from devices.tables.plan import NETWORK_ROUNDS, ROUNDS
from search.services.tables import build_table
from tests.search.world import table_of, tiny_space

Work = Callable[..., int]
CSV = "key,repeats,minimum_us,p10_us,p50_us,p90_us\nfirst,5,1,2,3,4\n"


@pytest.fixture
def phone(owner: Team) -> Device:
    return device_of(owner, "torchscript")


def device_of(owner: Team, kind: str) -> Device:
    return Device.objects.create(
        owner=owner,
        name=f"Phone {kind}",
        kind="mobile-cpu",
        engine=kind,
        data_type="float32",
        threads=1,
        batch_size=1,
    )


class Agent:
    """Speaks as an agent does, with made-up timings."""

    def __init__(self, device: Device) -> None:
        self.token, text = DeviceToken.issue(device)
        self.headers = {"authorization": f"Bearer {text}"}
        self.browser = Browser()

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.browser.get(f"/api/v1{path}", headers=self.headers)
        assert answer.status_code == status, answer.content
        return answer.json() if "json" in answer.headers["Content-Type"] else answer.getvalue()

    def post(self, path: str, data: Any, status: int = 200) -> Any:
        path = path if path.startswith("/api") else f"/api/v1{path}"
        answer = self.browser.post(path, data, content_type="application/json", headers=self.headers)
        assert answer.status_code == status, answer.content
        return answer.json()

    def work(self) -> Any:
        return self.get("/agent/work")

    def send(self, work: Any, us: float = 2.0, status: int = 200) -> Any:
        values = {item["name"]: [us, us * 1.01] for item in work["items"]}
        return self.post(work["results"], {"values": values}, status)


def numbered(work: Any, number: int) -> str:
    """The address of results of the same table under another number."""
    return f"{work['results'].rpartition('/')[0]}/{number}"


@pytest.mark.django_db
def test_a_table_is_measured_by_what_an_agent_hands_in(phone: Device, work: Work) -> None:
    agent = Agent(phone)
    assert agent.work()["idle"]
    table = build_table(device=phone, space=tiny_space())
    assert table.source == LatencyTable.Source.AGENT
    assert "building" in agent.work()["message"]
    assert not agent.work()["idle"]
    work()
    facts = agent.post("/agent/hello", {"machine": {"processor": "P", "engine": "E" * 999}, "meters": []})
    assert facts == {
        "name": phone.name,
        "engine": "torchscript",
        "data_type": "float32",
        "threads": 1,
        "batch_size": 1,
    }
    kinds = []
    while table.run.status != Run.Status.SUCCEEDED:
        asked = agent.work()
        assert asked["items"], asked
        kinds.append(len(asked["items"]))
        first = asked["items"][0]
        content = agent.browser.get(first["url"], headers=agent.headers).getvalue()
        assert hashlib.sha256(content).hexdigest() == first["sha256"]
        assert len(content) == first["size"]
        assert agent.send(asked, 1000.0 if asked["items"][0]["name"].isdigit() else 20.0) == {"counted": True}
        assert agent.send(asked) == {"counted": False}
        work()
        table.run.refresh_from_db()
    keys = len({operator.key for operator in tiny_space().operators()})
    assert kinds == [keys] * ROUNDS + [10] * NETWORK_ROUNDS
    table.refresh_from_db()
    assert {entry.repeats for entry in table.entries.all()} == {2 * ROUNDS}
    assert table.provenance["processor"] == "P"
    assert len(table.provenance["engine"]) < 999
    assert table.points.count() == 10
    assert table.run.done == table.run.total


@pytest.mark.django_db
def test_results_that_were_not_asked_for_are_refused_with_the_reason(phone: Device, work: Work) -> None:
    table = build_table(device=phone, space=tiny_space())
    work()
    agent = Agent(phone)
    asked = agent.work()
    names = [item["name"] for item in asked["items"]]
    good = {name: [2.0] for name in names}
    for wrong in (
        {},
        good | {names[0]: []},
        good | {names[0]: [0.0]},
        good | {names[0]: [-1]},
        good | {"x": [1]},
    ):
        assert "imings" in agent.post(asked["results"], {"values": wrong}, 422)["detail"]
    for broken in ("1e999", "null", '"soon"', "[]"):
        text = json.dumps({"values": good}).replace("2.0", broken, 1)
        agent.post(asked["results"], text, 422)
    agent.post(numbered(asked, 7), {"values": good}, 422)
    assert not table.entries.exists()


@pytest.mark.django_db
def test_a_paused_table_waits_and_a_cancelled_one_takes_nothing(phone: Device, work: Work) -> None:
    table = build_table(device=phone, space=tiny_space())
    work()
    agent = Agent(phone)
    asked = agent.work()
    pause(table.run)
    assert agent.work()["items"] == []
    assert agent.send(asked) == {"counted": True}
    cancel(table.run)
    assert agent.work()["items"] == []
    later = {"results": numbered(asked, 1), "items": asked["items"]}
    assert agent.send(later) == {"counted": False}


@pytest.mark.django_db
def test_a_token_opens_its_own_device_only_until_it_is_revoked(
    phone: Device, owner: Team, stranger: User, work: Work
) -> None:
    table = build_table(device=phone, space=tiny_space())
    work()
    agent, other = Agent(phone), Agent(device_of(stranger.teams.get(), "torchscript"))
    asked = agent.work()
    assert other.work()["items"] == []
    other.send(asked, status=404)
    other.get(f"/tables/{table.pk}/export/csv", 404)
    for headers in ({}, {"authorization": "Bearer chamnet_no"}, {"authorization": agent.token.digest}):
        assert Browser().get("/api/v1/agent/work", headers=headers).status_code == 401
    agent.token.refresh_from_db()
    assert agent.token.seen_at is not None
    owner.is_active = False
    owner.save()
    agent.get("/agent/work", 401)


@pytest.mark.django_db
def test_a_token_is_shown_once_kept_as_a_hash_and_revoked_on_the_page(
    signed_in: Browser, phone: Device, stranger: User
) -> None:
    page = f"/devices/{phone.pk}/"
    assert "--token TOKEN" in signed_in.get(page).content.decode()
    answer = signed_in.post(f"/devices/{phone.pk}/tokens/new/", follow=True).content.decode()
    token = DeviceToken.objects.get()
    text = answer.partition("--token ")[2].split()[0].partition("<")[0]
    assert hashlib.sha256(text.encode()).hexdigest() == token.digest
    assert text not in signed_in.get(page).content.decode()
    headers = {"authorization": f"Bearer {text}"}
    assert Browser().get("/api/v1/agent/work", headers=headers).status_code == 200
    eve = Browser()
    eve.force_login(stranger)
    assert eve.post(f"/tokens/{token.pk}/revoke/").status_code == 404
    assert eve.post(f"/devices/{phone.pk}/tokens/new/").status_code == 404
    signed_in.post(f"/tokens/{token.pk}/revoke/")
    assert Browser().get("/api/v1/agent/work", headers=headers).status_code == 401
    signed_in.get(page)  # says that it is revoked
    assert f"…{token.ending}" not in signed_in.get(page).content.decode()


@pytest.mark.django_db
def test_tables_go_in_and_out_by_the_api(phone: Device) -> None:
    agent = Agent(phone)
    answer = agent.browser.post(
        "/api/v1/tables?name=phone.csv", CSV, content_type="text/csv", headers=agent.headers
    )
    assert answer.status_code == 201
    made = answer.json()
    assert (made["version"], made["operators"], made["status"]) == (1, 1, "succeeded")
    assert agent.get("/tables")["items"] == [made]
    exported = agent.get(f"/tables/{made['id']}/export/csv").decode()
    assert "first,5,1.0,2.0,3.0,4.0" in exported
    assert agent.get(f"/tables/{made['id']}/export/chamnet", 422)["detail"]
    assert agent.get(f"/tables/{made['id']}/export/nonsense", 422)["detail"].startswith("Known formats")
    bad = agent.browser.post(
        "/api/v1/tables", CSV.replace("5,1,", "5,-1,"), content_type="text/csv", headers=agent.headers
    )
    assert bad.status_code == 422
    assert bad.json()["problems"][0].startswith("Line 2: minimum_us is -1")
    binary = agent.browser.post("/api/v1/tables", b"\xff\xfe", content_type="text/csv", headers=agent.headers)
    assert binary.status_code == 422
    assert phone.tables.count() == 1


@pytest.mark.django_db
def test_files_are_built_once_for_all_devices(owner: Team, work: Work) -> None:
    for kind in ("torchscript", "onnxruntime"):
        build_table(device=device_of(owner, kind), space=tiny_space())
        work()
    count = KernelFile.objects.count()
    second = Device.objects.get(engine="onnxruntime")
    build_table(device=second, space=tiny_space())
    work()
    assert KernelFile.objects.count() == count
    assert max(KernelFile.objects.values_list("size", flat=True)) < 60_000


def test_the_program_is_one_file_without_the_application(client: Browser) -> None:
    assert client.get("/agent/chamnet-agent.pyz").content == agent_program()
    with zipfile.ZipFile(io.BytesIO(agent_program())) as archive:
        names = archive.namelist()
        assert "__main__.py" in names
        text = "\n".join(archive.read(name).decode() for name in names)
    assert not any("models" in name or "views" in name for name in names)
    assert "import django" not in text


@pytest.mark.django_db
def test_a_device_without_kernels_has_no_agent(signed_in: Browser, owner: Team) -> None:
    dsp = device_of(owner, "external")
    page = signed_in.get(f"/devices/{dsp.pk}/").content.decode()
    assert "import a table" in page
    assert "chamnet-agent.pyz" not in page


@pytest.mark.django_db
def test_what_an_agent_measures_is_followed_on_the_devices_page(
    signed_in: Browser, phone: Device, work: Work
) -> None:
    table = build_table(device=phone, space=tiny_space())
    work()
    page = signed_in.get(f"/devices/{phone.pk}/").content.decode()
    assert f'data-run="{table.run_id}"' in page
    Agent(phone).post("/agent/hello", {"machine": {"processor": "Cortex-A78"}, "meters": []})
    assert "Cortex-A78" in signed_in.get(f"/devices/{phone.pk}/").content.decode()
    assert table_of(phone.owner).source == LatencyTable.Source.WORKER


@pytest.mark.django_db
def test_a_file_to_measure_is_read_as_it_is_sent(phone: Device) -> None:
    content = b"packed" * 1000
    row = KernelFile(engine="torchscript", digest="1" * 64, size=len(content))
    row.sha256 = hashlib.sha256(content).hexdigest()
    row.file.save("kernel.gz", ContentFile(content))
    agent = Agent(phone)
    answer = agent.browser.get(f"/api/v1/agent/files/{row.sha256}", headers=agent.headers)
    assert answer.streaming
    assert answer.getvalue() == content
    told = {name: answer.headers[name] for name in ("Content-Type", "Content-Encoding", "Content-Length")}
    assert told == {
        "Content-Type": "application/gzip",
        "Content-Encoding": "identity",
        "Content-Length": str(len(content)),
    }
