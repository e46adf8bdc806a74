"""Tables that come as files: on the page and by command."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from chamnet_web.accounts.models import Team, User
from devices.models import LatencyTable
from devices.queries import coverage
from devices.runs.models import Run
from devices.services import import_table, table_file, this_machine
from devices.tables.formats import WRITERS, read_table
from search.queries import usable_tables
from tests.devices.tables.test_formats import HEADER, YAML
from tests.search.world import table_of

pytestmark = pytest.mark.django_db


def upload(content: str | bytes, name: str = "table.txt") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)


def test_a_foreign_table_becomes_a_version_and_goes_out_as_it_came(signed_in: Client, owner: Team) -> None:
    device = this_machine(owner)
    response = signed_in.post(f"/devices/{device.pk}/tables/import/", {"file": upload(YAML, "160.yaml")})
    assert response.status_code == 302, response.context["form"].errors
    table = LatencyTable.objects.get()
    assert response.headers["Location"] == table.get_absolute_url()
    assert (table.version, table.run.status, table.entries.count()) == (1, Run.Status.SUCCEEDED, 2)
    page = signed_in.get(table.get_absolute_url()).content.decode()
    assert page.count(">foreign</span>") == 2
    assert "160.yaml" in page
    assert "once-for-all yaml" in page
    assert "Coverage of the space" not in page
    assert table not in usable_tables(owner)
    assert "Whole networks" not in page
    out = b"".join(signed_in.get(f"/tables/{table.pk}/export/once-for-all/"))
    assert out.decode() == YAML
    assert signed_in.get(f"/tables/{table.pk}/export/chamnet/").status_code == 302
    assert signed_in.get(f"/tables/{table.pk}/export/word/").status_code == 404


def test_a_table_exported_and_imported_is_the_same_table(signed_in: Client, owner: Team) -> None:
    first = table_of(owner)
    text = b"".join(signed_in.get(f"/tables/{first.pk}/export/jsonl/"))
    address = f"/devices/{first.device.pk}/tables/import/"
    assert signed_in.post(address, {"file": upload(text, "out.jsonl")}).status_code == 302
    second = LatencyTable.objects.get(version=2)
    assert (second.space_id, second.calibration) == (first.space_id, first.calibration)
    one, two = table_file(first), table_file(second)
    assert one.entries == two.entries
    assert one.facts["space"] == two.facts["space"]
    csv = b"".join(signed_in.get(f"/tables/{second.pk}/export/csv/")).decode()
    assert [e.measurement for e in read_table(csv).entries] == [e.measurement for e in one.entries]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER + "a,1,-1,1,1,1\n", "Line 2: minimum_us is -1"),
        (b"PK\x03\x04\xff\xfe", "This is no text file"),
        ("nonsense", "no known format"),
    ],
)
def test_a_wrong_file_is_refused_beside_its_field_and_nothing_is_stored(
    signed_in: Client, owner: Team, content: str | bytes, said: str
) -> None:
    device = this_machine(owner)
    response = signed_in.post(f"/devices/{device.pk}/tables/import/", {"file": upload(content)})
    assert response.status_code == 422
    assert said in response.context["form"].errors["file"][0]
    assert not LatencyTable.objects.exists()
    assert not Run.objects.exists()


def test_a_file_too_large_for_the_page_is_refused(
    signed_in: Client, owner: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.forms.MOST_BYTES", 10)
    response = signed_in.post(f"/devices/{this_machine(owner).pk}/tables/import/", {"file": upload(YAML)})
    assert "import_table" in response.context["form"].errors["file"][0]


def test_strangers_can_neither_import_nor_export(client: Client, owner: Team, stranger: User) -> None:
    table = table_of(owner)
    client.force_login(stranger)
    address = f"/devices/{table.device.pk}/tables/import/"
    assert client.get(address).status_code == 404
    assert client.post(address, {"file": upload(YAML)}).status_code == 404
    assert client.get(f"/tables/{table.pk}/export/csv/").status_code == 404
    assert LatencyTable.objects.count() == 1


def test_the_commands_import_and_export(owner: Team, tmp_path: Path) -> None:
    device = this_machine(owner)
    source, target = tmp_path / "in.yaml", tmp_path / "out.yaml"
    source.write_text(YAML)
    said = StringIO()
    call_command("import_table", str(source), device=device.name, user="ada", stdout=said)
    table = LatencyTable.objects.get()
    assert said.getvalue().startswith(f"{table.pk}  2 operators, version 1")
    call_command("export_table", str(table.pk), format="once-for-all", output=target)
    assert target.read_text() == YAML
    source.write_text(HEADER + "a,1,-1,1,1,1\n")
    with pytest.raises(CommandError, match="Line 2: minimum_us is -1"):
        call_command("import_table", str(source), device=device.name, user="ada")
    with pytest.raises(CommandError, match="no device called “Phone”"):
        call_command("import_table", str(source), device="Phone", user="ada")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_table", str(tmp_path / "none"), device=device.name, user="ada")
    with pytest.raises(CommandError, match="did not come from a ChamNet record"):
        call_command("export_table", str(table.pk), format="chamnet")
    assert LatencyTable.objects.count() == 1


def test_a_file_of_an_unfinished_table_covers_what_it_covered(owner: Team) -> None:
    table = table_of(owner)
    needed = table.rows.count()
    table.rows.filter(key__in=table.operator_keys[::2]).delete()
    left = table.rows.count()
    again = read_table("".join(WRITERS["jsonl"](table_file(table))))
    imported = import_table(device=table.device, table=again, name="half.jsonl")
    found = coverage(imported)
    assert (found["covered"], found["total"]) == (left, needed)
    assert left < needed


def test_two_versions_are_compared_the_largest_change_first(
    signed_in: Client, owner: Team, stranger: User
) -> None:
    device = this_machine(owner)
    tables = []
    for times in ({"a": 10, "b": 10, "c": 10}, {"a": 10.1, "b": 20, "d": 1}):
        rows = "".join(f"{key},1,{time},{time},{time},{time}\n" for key, time in times.items())
        tables.append(import_table(device=device, table=read_table(HEADER + rows), name="x.csv"))
    before, after = tables
    assert "Compare with another version" in signed_in.get(after.get_absolute_url()).content.decode()
    for address in (
        f"/tables/{after.pk}/compare/?with={before.pk}",
        f"/tables/{before.pk}/compare/?with={after.pk}",
    ):
        page = signed_in.get(address)
        found = page.context["found"]
        assert [(change.key, change.ratio) for change in found.changes] == [("b", 2.0), ("a", 1.01)]
        assert (found.only_before, found.only_after) == (["c"], ["d"])
        assert (page.context["slower"], page.context["faster"]) == (1, 0)
    assert signed_in.get(f"/tables/{after.pk}/compare/?with=nonsense").status_code == 404
    assert signed_in.get(f"/tables/{after.pk}/compare/").status_code == 404
    signed_in.force_login(stranger)
    assert signed_in.get(f"/tables/{after.pk}/compare/?with={before.pk}").status_code == 404
