"""What a person may have got wrong is said beside the field, and nothing is begun."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from chamnet_web.accounts.models import Team, User
from devices.models import Device, LatencyTable
from devices.runs.models import Run
from devices.services import this_machine
from search.forms.devices import TableForm
from search.forms.predictors import PredictorForm
from search.forms.searches import SearchForm
from search.models import Predictor, Search
from search.services.catalogue import name_recipe
from search.services.problems import latency_range
from search.spaces import preset
from tests.search.world import TINY_RECIPE, begin_predictor, energy_of, predictor_of, table_of

pytestmark = pytest.mark.django_db
Work = Callable[..., int]

PREDICTOR = {
    "name": "Digits",
    "space": "chamnet-mobile-small",
    "dataset": "digits",
    "recipe": "seconds",
    "budget": "24",
    "initial": "8",
    "seed": "0",
}


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        (
            {"budget": "6"},
            "budget",
            "The initial design alone trains 8 networks. Raise the budget to at least 8",
        ),
        ({"budget": "nine"}, "budget", "Enter a whole number"),
        ({"budget": "-1"}, "budget", "greater than or equal to 4"),
        ({"initial": "1"}, "initial", "greater than or equal to 2"),
        ({"dataset": "imagenet"}, "dataset", "imagenet is not one of the available choices"),
        ({"space": "resnet"}, "space", "resnet is not one of the available choices"),
        ({"recipe": "seconds-final"}, "recipe", "not one of the available choices"),
        ({"seed": "-1"}, "seed", "greater than or equal to 0"),
        ({"seed": "99999999999"}, "seed", "less than or equal to"),
        ({"name": " "}, "name", "required"),
        ({"stop_error": "0"}, "stop_error", "greater than or equal to 0.01"),
        ({"stop_error": "nan"}, "stop_error", "Enter a number"),
        ({"stop_minutes": "0"}, "stop_minutes", "greater than or equal to 1"),
    ],
)
def test_a_wrong_predictor_is_refused_beside_the_field(
    signed_in: Client, changes: dict[str, str], field: str, said: str
) -> None:
    response = signed_in.post("/predictors/new/", PREDICTOR | changes)
    assert response.status_code == 422
    assert said in response.context["form"].errors[field][0]
    assert said.replace("“", "“") in response.content.decode().replace("&#x27;", "'")
    assert not Predictor.objects.exists()
    assert not Run.objects.exists()


def test_a_predictors_name_is_taken_once_per_person(
    signed_in: Client, owner: Team, stranger: User, work: Work
) -> None:
    predictor_of(owner, work, name="Digits")
    response = signed_in.post("/predictors/new/", PREDICTOR)
    assert (
        "Your team already has a predictor called “Digits”. Choose another name." in response.content.decode()
    )
    assert PredictorForm(PREDICTOR, owner=stranger.teams.get()).is_valid()


def test_a_right_predictor_is_begun(signed_in: Client) -> None:
    response = signed_in.post("/predictors/new/", PREDICTOR)
    predictor = Predictor.objects.get()
    assert response.url == f"/predictors/{predictor.pk}/"
    assert predictor.space.load() == preset("chamnet-mobile-small", classes=10, in_channels=1)
    assert (predictor.budget, predictor.initial, predictor.recipe.name) == (24, 8, "seconds")
    assert predictor.run.steps.get().kind == "predictor.propose"


def test_continuing_fills_the_form_with_the_earlier_settings_and_twice_the_budget(
    client: Client, signed_in: Client, owner: Team, stranger: User, work: Work
) -> None:
    earlier = predictor_of(owner, work, samples=12)
    address = f"/predictors/new/?continue={earlier.pk}"
    form = signed_in.get(address).context["form"]
    assert form.initial["name"] == "Digits, 24 samples"
    assert (form.initial["budget"], form.initial["seed"]) == (24, 0)
    begun = signed_in.post("/predictors/new/", form.initial | {"stop_error": "1.5", "stop_minutes": "30"})
    assert begun.status_code == 302
    later = Predictor.objects.get(name="Digits, 24 samples")
    assert (later.stop_error, later.stop_minutes) == (pytest.approx(0.015), 30)
    assert signed_in.get("/predictors/new/?continue=nonsense").status_code == 200
    client.force_login(stranger)
    assert client.get(address).status_code == 404


def test_continuing_a_build_chooses_the_recipe_it_was_begun_with(signed_in: Client, owner: Team) -> None:
    own = name_recipe(owner, "my recipe", TINY_RECIPE)
    for recipe in ("seconds", "minutes", own.recipe_id):
        earlier = begin_predictor(owner, name=f"With {recipe}", recipe=recipe)
        form = signed_in.get("/predictors/new/", {"continue": str(earlier.pk)}).context["form"]
        assert f'<option value="{recipe}" selected>' in str(form["recipe"])


@pytest.fixture
def searchable(owner: Team, work: Work) -> dict[str, Any]:
    predictor, table = predictor_of(owner, work), table_of(owner)
    least, greatest = latency_range(predictor.space.load(), table)
    return {
        "name": "Half way",
        "predictor": predictor.pk,
        "table": table.pk,
        "latency_limit_ms": f"{(least + greatest) / 2:.4f}",
        "population": "16",
        "generations": "5",
        "seed": "0",
    }


def test_a_limit_below_what_the_space_reaches_is_refused_with_the_least_there_is(
    signed_in: Client, searchable: dict[str, Any]
) -> None:
    table = LatencyTable.objects.get()
    least, _ = latency_range(Predictor.objects.get().space.load(), table)
    response = signed_in.post("/searches/new/", searchable | {"latency_limit_ms": f"{least / 2}"})
    assert response.status_code == 422
    error = response.context["form"].errors["latency_limit_ms"][0]
    assert error == (
        f"The fastest network of this space on this device takes {least:.3g} ms. "
        f"Enter {least * 1.1:.3g} ms or more."
    )
    surely, _ = latency_range(Predictor.objects.get().space.load(), table, 0.95)
    between = {"latency_limit_ms": f"{(least + surely) / 2}", "confidence": "0.95"}
    response = signed_in.post("/searches/new/", searchable | between)
    error = response.context["form"].errors["latency_limit_ms"][0]
    assert f"takes {surely:.3g} ms, with 95 % confidence." in error
    assert not Search.objects.exists()
    assert not Run.objects.filter(kind="search").exists()


@pytest.mark.parametrize("limit", ["0", "-3", "nan", "inf", "soon", ""])
def test_a_limit_that_is_no_length_of_time_is_refused(
    signed_in: Client, searchable: dict[str, Any], limit: str
) -> None:
    response = signed_in.post("/searches/new/", searchable | {"latency_limit_ms": limit})
    assert response.status_code == 422
    assert "latency_limit_ms" in response.context["form"].errors


def rows(*limits: tuple[str, str]) -> dict[str, str]:
    """Form data of further limits: (what, at most)."""
    data = {"limits-TOTAL_FORMS": str(len(limits)), "limits-INITIAL_FORMS": "0"}
    for place, (of, maximum) in enumerate(limits):
        data |= {f"limits-{place}-of": of, f"limits-{place}-maximum": maximum}
    return data


@pytest.mark.parametrize(
    ("other", "limit", "field", "said"),
    [
        (None, "2.5", "of", "Choose what this limit is for, or clear the limit."),
        ("same", "2.5", "of", "This has a limit already. Choose something else."),
        ("phone", "", "maximum", "Enter the limit."),
        ("phone", "0.0001", "maximum", "The fastest network of this space on this device takes"),
        ("phone", "-1", "maximum", "greater than or equal to"),
        ("nonsense", "1", "of", "is not one of the available choices"),
    ],
)
def test_a_wrong_further_limit_is_refused_beside_its_field(
    signed_in: Client,
    searchable: dict[str, Any],
    owner: Team,
    other: str | None,
    limit: str,
    field: str,
    said: str,
) -> None:
    phone = table_of(owner, device_name="The phone")
    chosen = {None: "", "same": f"table:{searchable['table']}", "phone": f"table:{phone.pk}"}
    wrong = searchable | rows((chosen.get(other, "nonsense"), limit))
    answer = signed_in.post("/searches/new/", wrong)
    assert answer.status_code == 422
    form: SearchForm = answer.context["form"]
    assert said in form.limits.forms[0].errors[field][0]
    assert "Nothing was started yet" in answer.content.decode()
    assert not Search.objects.exists()


def test_a_search_with_every_kind_of_limit_is_begun(
    signed_in: Client, searchable: dict[str, Any], owner: Team, work: Work
) -> None:
    phone, watch = (table_of(owner, device_name=name) for name in ("The phone", "The watch"))
    energy = energy_of(owner, phone.device, work)
    more = {
        **rows(
            (f"table:{phone.pk}", "5"),
            ("", ""),
            (f"table:{watch.pk}", "6"),
            (f"cost:{energy.pk}", "900"),
        ),
        "confidence": "0.9",
        "cautious": "on",
        "max_parameters": "100000",
        "max_file_kb": "500",
    }
    assert signed_in.post("/searches/new/", searchable | more).status_code == 302
    search = Search.objects.get()
    assert (search.confidence, search.cautious) == (0.9, True)
    assert (search.max_multiply_adds, search.max_parameters) == (None, 100_000)
    assert search.max_file_bytes == 500_000
    assert [(row.table, row.cost, row.maximum) for row in search.further_limits.all()] == [
        (phone, None, 5.0),
        (watch, None, 6.0),
        (None, energy, 900.0),
    ]
    page = signed_in.get(search.get_absolute_url()).content.decode()
    assert "Limit of latency on The phone" in page
    assert "Limit of energy on The phone" in page
    assert signed_in.post("/searches/new/", searchable | {"confidence": "1.5"}).status_code == 422


def test_one_network_for_each_device_is_a_search_for_each(
    signed_in: Client, searchable: dict[str, Any], owner: Team, work: Work
) -> None:
    phone = table_of(owner, device_name="The phone", slower=2.0)
    both = searchable | rows((f"table:{phone.pk}", "5")) | {"networks": "both"}
    assert signed_in.post("/searches/new/", both).status_code == 302
    together, here, there = Search.objects.order_by("created_at")
    assert together.group == here.group == there.group
    assert together.group is not None
    assert [one.further_limits.count() for one in (together, here, there)] == [1, 0, 0]
    assert (there.table, there.latency_limit_ms, there.name) == (phone, 5.0, "Half way for The phone")
    work()
    page = signed_in.get(together.get_absolute_url()).content.decode()
    assert "One network for all devices, or one for each" in page
    best = {one.pk: one.candidates.get(rank=1).accuracy for one in (together, here, there)}
    assert best[together.pk] <= min(best[here.pk], best[there.pk]) + 1e-9


@pytest.mark.parametrize(
    ("networks", "said"), [("each", "There is one device only."), ("some", "not one of")]
)
def test_a_network_for_each_of_one_device_is_refused(
    searchable: dict[str, Any], owner: Team, networks: str, said: str
) -> None:
    form = SearchForm(searchable | {"networks": networks}, owner=owner)
    assert said in form.errors["networks"][0]


def test_a_device_with_an_energy_limit_alone_cannot_have_its_own_network(
    searchable: dict[str, Any], owner: Team, work: Work
) -> None:
    phone, watch = (table_of(owner, device_name=name) for name in ("The phone", "The watch"))
    energy = energy_of(owner, watch.device, work)
    limits = rows((f"table:{phone.pk}", "5"), (f"cost:{energy.pk}", "900"))
    form = SearchForm(searchable | limits | {"networks": "each"}, owner=owner)
    assert "The watch alone also needs a latency limit there" in form.errors["networks"][0]


def test_the_form_shows_the_range_that_the_space_spans(signed_in: Client, searchable: dict[str, Any]) -> None:
    least, greatest = latency_range(Predictor.objects.get().space.load(), LatencyTable.objects.get())
    asked = {name: searchable[name] for name in ("predictor", "table")}
    assert signed_in.get("/searches/span/", asked).json() == {"least_ms": least, "greatest_ms": greatest}
    assert least < greatest


def test_the_range_of_other_peoples_things_and_of_nonsense_is_not_told(
    client: Client, stranger: User, searchable: dict[str, Any]
) -> None:
    client.force_login(stranger)
    asked = {name: searchable[name] for name in ("predictor", "table")}
    assert client.get("/searches/span/", asked).status_code == 404
    assert client.get("/searches/span/", {"predictor": "x", "table": ""}).status_code == 404


def test_a_table_that_does_not_cover_the_space_is_refused_with_what_to_do(
    searchable: dict[str, Any], owner: Team
) -> None:
    other = preset("chamnet-res-small", classes=10, in_channels=1, resolution=(8,))
    form = SearchForm(searchable | {"table": table_of(owner, other).pk}, owner=owner)
    assert not form.is_valid()
    assert "offers to measure or to interpolate them" in form.errors["table"][0]


def test_other_peoples_predictors_and_tables_cannot_be_chosen(
    searchable: dict[str, Any], stranger: User
) -> None:
    form = SearchForm(searchable, owner=stranger.teams.get())
    assert set(form.errors) == {"predictor", "table"}


def test_an_unfinished_predictor_cannot_be_chosen(
    signed_in: Client, searchable: dict[str, Any], owner: Team
) -> None:
    signed_in.post("/predictors/new/", PREDICTOR | {"name": "Unfinished"})
    unfinished = Predictor.objects.get(name="Unfinished")
    form = SearchForm(searchable | {"predictor": unfinished.pk}, owner=owner)
    assert set(form.errors) == {"predictor"}


def test_a_table_is_only_for_a_known_space_and_a_device_that_is_here(signed_in: Client, owner: Team) -> None:
    here = this_machine(owner)
    response = signed_in.post(f"/devices/{here.pk}/tables/new/", {"space": "nonsense"})
    assert response.status_code == 422
    assert "nonsense is not one of the available choices" in response.content.decode()

    phone = Device.objects.create(
        owner=owner,
        name="Phone",
        kind="mobile-cpu",
        engine="external",
        data_type="int8",
        threads=1,
        batch_size=1,
    )
    space = next(iter(TableForm(owner=owner).spaces))
    response = signed_in.post(f"/devices/{phone.pk}/tables/new/", {"space": space}, follow=True)
    assert "“Phone” cannot be measured" in response.content.decode()
    assert not LatencyTable.objects.exists()
    assert not Run.objects.exists()

    signed_in.post(f"/devices/{here.pk}/tables/new/", {"space": space})
    assert LatencyTable.objects.get().version == 1
