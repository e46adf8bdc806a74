from __future__ import annotations

import os
from typing import Any

import pytest
from django.test import Client

from chamnet_web.accounts.models import Team, User
from devices.models import Device

pytestmark = pytest.mark.django_db

DEVICE = {
    "name": "Pixel 8, big cores",
    "kind": "mobile-cpu",
    "engine": "torchscript",
    "data_type": "float32",
    "threads": "4",
    "batch_size": "1",
    "note": "performance governor",
}


def test_a_device_is_registered(signed_in: Client, owner: Team) -> None:
    response = signed_in.post("/devices/new/", DEVICE, follow=True)
    device = Device.objects.get()
    assert (device.owner, device.name, device.threads) == (owner, "Pixel 8, big cores", 4)
    assert "“Pixel 8, big cores” is registered. Build its latency table next." in response.content.decode()


def test_this_machine_is_filled_in(signed_in: Client) -> None:
    form = signed_in.get("/devices/new/").context["form"]
    assert form.initial["is_this_machine"] is True
    assert form.initial["engine"] == "torchscript"
    assert form.initial["name"]


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"name": ""}, "name", "required"),
        ({"name": "x" * 81}, "name", "at most 80 characters"),
        ({"threads": "0"}, "threads", "greater than or equal to 1"),
        ({"threads": "many"}, "threads", "Enter a whole number"),
        ({"batch_size": "-2"}, "batch_size", "greater than or equal to 1"),
        ({"kind": "toaster"}, "kind", "toaster is not one of the available choices"),
        (
            {"is_this_machine": "on", "threads": "256"},
            "threads",
            f"This machine has {os.cpu_count()} cores; use at most as many threads.",
        ),
    ],
)
def test_what_cannot_be_is_refused_beside_the_field(
    signed_in: Client, changes: dict[str, Any], field: str, said: str
) -> None:
    response = signed_in.post("/devices/new/", DEVICE | changes)
    assert response.status_code == 422
    assert said in response.context["form"].errors[field][0]
    assert not Device.objects.exists()


def test_a_name_is_taken_once_per_person(client: Client, signed_in: Client, stranger: User) -> None:
    signed_in.post("/devices/new/", DEVICE)
    response = signed_in.post("/devices/new/", DEVICE | {"name": " Pixel 8, big cores "})
    assert "Your team already has a device called “Pixel 8, big cores”. Choose another name." in (
        response.content.decode()
    )
    client.force_login(stranger)
    client.post("/devices/new/", DEVICE)
    assert Device.objects.count() == 2
