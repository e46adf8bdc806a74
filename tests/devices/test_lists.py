"""Lists of devices and tables, how far tables can be trusted, and the files of their pages."""

from __future__ import annotations

import csv
import io
import json
import zlib
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import AsyncClient, Client
from django.utils import timezone

from chamnet_web.accounts.models import Team, User
from devices import listing
from devices.agents import hello
from devices.exports import LINES_AT_ONCE
from devices.freshness import freshness_of
from devices.models import Device, DeviceToken, LatencyTable, NetworkMeasurement
from devices.runs.models import Run
from devices.services import this_machine
from tests.search.world import table_of

pytestmark = pytest.mark.django_db


def state_of(device: Device) -> tuple[str, str]:
    found = freshness_of([device])[device.pk]
    return found.status, " ".join(found.reasons)


def networks_of(table: LatencyTable, started_after: timedelta) -> None:
    """A whole network of the table's device, measured by a run that began so long after the table's end."""
    assert table.run.finished_at is not None
    begun = table.run.finished_at + started_after
    run = Run.objects.create(
        owner=table.device.owner, kind="cost_predictor", title="Networks", started_at=begun
    )
    NetworkMeasurement.objects.create(
        run=run, device=table.device, index=0, quantity="latency", network=[], next_step="", values=[1.0]
    )


def test_a_device_is_without_a_table_then_current(owner: Team) -> None:
    device = this_machine(owner)
    assert state_of(device) == ("none", "")
    table_of(owner)
    assert state_of(device) == ("fresh", "")


def test_a_table_is_stale_when_whole_networks_were_measured_since(owner: Team) -> None:
    table = table_of(owner)
    networks_of(table, -timedelta(seconds=1))
    assert state_of(table.device)[0] == "fresh"
    networks_of(table, timedelta(minutes=1))
    assert state_of(table.device) == ("stale", "Whole networks were measured on the device since.")


def test_a_table_is_stale_when_another_engine_is_there_now(owner: Team) -> None:
    table = table_of(owner)
    table.provenance = {"engine": "TorchScript, torch 1.0.0"}
    table.save()
    status, reason = state_of(table.device)
    assert status == "stale"
    assert "It was measured with TorchScript, torch 1.0.0; the device now has TorchScript, torch" in reason


def test_builds_of_one_release_are_the_same_engine(owner: Team) -> None:
    table = table_of(owner, device_name="The board")
    table.provenance = {"engine": "TorchScript, torch 2.1.0"}
    table.save()
    device = Device.objects.get(pk=table.device_id)
    token, _ = DeviceToken.issue(device)
    hello(token, {"engine": "TorchScript, torch 2.1.0+cu121"}, [])
    DeviceToken.objects.filter(pk=token.pk).update(seen_at=timezone.now())
    assert state_of(device)[0] == "fresh"
    hello(token, {"engine": "TorchScript, torch 2.2.0"}, [])
    assert state_of(device)[0] == "stale"


def test_the_list_of_devices_leads_to_the_tables_of_one(signed_in: Client, owner: Team) -> None:
    table, other = table_of(owner), table_of(owner, device_name="The board")
    page = signed_in.get("/devices/").content.decode()
    assert f"/tables/?device={table.device_id}" in page
    found = signed_in.get("/tables/", {"device": str(other.device_id)}).context["listed"]
    assert [row.pk for row in found.page] == [other.pk]
    Device.objects.create(
        owner=owner, name="Bare", kind="gpu", engine="onnxruntime", data_type="int8", threads=1, batch_size=1
    )
    bare = signed_in.get("/devices/", {"measured": "no"}).context["listed"].page
    assert [row.name for row in bare] == ["Bare"]


def test_tables_whose_error_is_unknown_come_last_whichever_way_they_are_sorted(
    signed_in: Client, owner: Team
) -> None:
    for name, error in (("Poor", 0.1), ("Unknown", None), ("Good", 0.02)):
        table = table_of(owner, device_name=name)
        assert table.calibration is not None
        table.calibration["error_after"] = error
        table.save()
    for sort, names in (("error", ["Good", "Poor", "Unknown"]), ("-error", ["Poor", "Good", "Unknown"])):
        found = signed_in.get("/tables/", {"sort": sort}).context["listed"].page
        assert [row.device.name for row in found] == names
        assert found[-1].error is None


def test_the_tables_of_a_tables_page_are_files_as_they_are_filtered(signed_in: Client, owner: Team) -> None:
    table = table_of(owner)
    address = table.get_absolute_url()

    def file(**asked: str) -> list[dict[str, str]]:
        text = b"".join(signed_in.get(address, asked | {"format": "csv"})).decode()
        return list(csv.DictReader(io.StringIO(text)))

    assert len(file(table="operators")) == table.entries.count()
    some = file(table="operators", q="depthwise", sort="-minimum_us")
    assert some
    assert all("depthwise" in row["key"] for row in some)
    times = [float(row["minimum_us"]) for row in some]
    assert times == sorted(times, reverse=True)
    assert len(file(table="networks")) == 10
    assert signed_in.get(address, {"table": "passwords", "format": "csv"}).status_code == 404


def test_a_table_says_what_was_measured_how_often_when_and_with_which_engine(
    signed_in: Client, owner: Team
) -> None:
    table = table_of(owner)
    page = signed_in.get(table.get_absolute_url())
    text = page.content.decode()
    assert [column.label for column in page.context["listed"].columns][:6] == [
        "Operator", "Repeats", "Minimum (µs)", "p10 (µs)", "Median (µs)", "p90 (µs)",
    ]  # fmt: skip
    assert f"<dt>Engine</dt><dd>{table.device.get_engine_display()}" in text
    assert f'<dt>Measured</dt><dd><time datetime="{table.created_at.isoformat()}" title="' in text
    assert "Error of a whole network" in text


def test_a_devices_page_leads_to_its_tables_as_files(signed_in: Client, owner: Team) -> None:
    table = table_of(owner)
    table_of(owner, device_name="The board")
    address = f"/tables/?device={table.device_id}&format=json"
    assert address.replace("&", "&amp;") in signed_in.get(table.device.get_absolute_url()).content.decode()
    assert len(json.loads(b"".join(signed_in.get(address)))) == 1


@pytest.mark.django_db(transaction=True)
async def test_an_asynchronous_server_streams_a_file_too(async_client: AsyncClient, ada: User) -> None:
    await async_client.aforce_login(ada)
    response = await async_client.get("/devices/", {"format": "csv"})
    assert response.is_async
    content = b"".join([block async for block in response.streaming_content])
    assert content.startswith(b"name,kind,engine")


@pytest.mark.django_db(transaction=True)
async def test_a_long_file_reaches_a_browser_whole(async_client: AsyncClient, ada: User) -> None:
    owner = await ada.teams.aget()
    count = 2 * LINES_AT_ONCE + 1
    await Device.objects.abulk_create(
        Device(owner=owner, name=f"Device {n}", kind=Device.Kind.OTHER, threads=1, batch_size=1)
        for n in range(count)
    )
    await async_client.aforce_login(ada)
    address = {"format": "csv"}
    response = await async_client.get("/devices/", address, headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    content = b"".join([block async for block in response.streaming_content])
    # As browsers do: what follows the end of the first gzip member is not read.
    member = zlib.decompressobj(wbits=31)
    lines = member.decompress(content).splitlines()
    assert (len(lines), member.unused_data) == (count + 1, b"")


def test_this_machine_is_the_oldest_of_several_or_one_under_a_free_name(owner: Team) -> None:
    named = Device.objects.create(
        owner=owner, name="This machine", kind=Device.Kind.OTHER, threads=1, batch_size=1
    )
    made = this_machine(owner)
    assert (made.name, made.pk == named.pk) == ("This machine (2)", False)
    Device.objects.create(
        owner=owner,
        name="With two threads",
        kind=made.kind,
        engine=made.engine,
        data_type=made.data_type,
        threads=2,
        batch_size=1,
        is_this_machine=True,
    )
    assert this_machine(owner) == made


def test_a_filter_knows_more_values_than_its_drop_down_has_room_for(
    signed_in: Client, owner: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST_OPTIONS", 2)
    tables = [table_of(owner, device_name=f"Phone {n}") for n in range(4)]
    last = str(tables[-1].device_id)
    page = signed_in.get("/tables/", {"device": last})
    assert page.context["listed"].count == 1
    assert f'<option value="{last}" selected>Phone 3</option>' in page.content.decode()
    assert len(json.loads(b"".join(signed_in.get("/tables/", {"device": last, "format": "json"})))) == 1
    for nothing in ("not-an-id", str(uuid4())):
        assert signed_in.get("/tables/", {"device": nothing}).context["listed"].count == 0
