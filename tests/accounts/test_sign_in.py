"""Signing in: wrong passwords, the second factor, and sessions that end."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from chamnet_web.accounts.models import User

pytestmark = pytest.mark.django_db

RIGHT = {"username": "ada", "password": "a long pass phrase"}


def code_of(user: User, ahead: int = 0) -> str:
    """What the phone shows, or will show so many periods from now."""
    device = TOTPDevice.objects.filter(user=user).order_by("-pk")[0]
    clock = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift + ahead)
    return f"{clock.token():06d}"


@pytest.fixture
def codes(signed_in: Client, ada: User) -> list[str]:
    """Ada's recovery codes, after she turned the second factor on."""
    page = signed_in.get(reverse("factor-new")).content.decode()
    assert "data:image/svg" in page
    answer = signed_in.post(reverse("factor-new"), {"code": code_of(ada)}).content.decode()
    return re.findall(r"\b[0-9a-f]{10}\b", answer.partition("<pre")[2].partition("</pre>")[0])


def test_wrong_passwords_are_heard_five_times(client: Client, ada: User) -> None:
    wrong = RIGHT | {"password": "guess"}
    answers = [client.post(reverse("sign-in"), wrong).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 200, 429]
    locked = client.post(reverse("sign-in"), RIGHT)
    assert (locked.status_code, "Too many wrong passwords" in locked.content.decode()) == (429, True)
    assert "10 min" in locked.content.decode()
    assert client.get("/").status_code == 302


def test_an_account_without_second_factor_needs_the_password_alone(client: Client, ada: User) -> None:
    assert client.post(reverse("sign-in"), RIGHT).headers["Location"] == "/"
    assert client.get("/").status_code == 200


def test_a_wrong_code_turns_nothing_on(signed_in: Client, ada: User) -> None:
    signed_in.get(reverse("factor-new"))
    wrong = f"{(int(code_of(ada)) + 1) % 10**6:06d}"
    assert signed_in.post(reverse("factor-new"), {"code": wrong}).status_code == 422
    assert not TOTPDevice.objects.filter(user=ada, confirmed=True).exists()


def test_the_password_alone_opens_nothing(ada: User, codes: list[str]) -> None:
    browser = Client()
    answer = browser.post(f"{reverse('sign-in')}?next=/devices/", RIGHT)
    assert answer.headers["Location"].startswith(reverse("second-factor"))
    assert browser.get("/").status_code == 302
    assert browser.post(answer.headers["Location"], {"code": "000000"}).status_code == 422
    assert browser.get("/").status_code == 302


def test_the_phones_code_signs_in_and_not_twice(ada: User, codes: list[str]) -> None:
    code = code_of(ada, ahead=1)
    first, second = Client(), Client()
    for browser in (first, second):
        browser.post(reverse("sign-in"), RIGHT)
    assert (
        first.post(f"{reverse('second-factor')}?next=/devices/", {"code": code}).headers["Location"]
        == "/devices/"
    )
    assert first.get("/devices/").status_code == 200
    assert second.post(reverse("second-factor"), {"code": code}).status_code == 422


def test_a_way_back_that_leads_elsewhere_is_not_followed(ada: User, codes: list[str]) -> None:
    browser = Client()
    browser.post(reverse("sign-in"), RIGHT)
    address = f"{reverse('second-factor')}?next=https://evil.example/"
    assert browser.post(address, {"code": code_of(ada, ahead=1)}).headers["Location"] == "/"


def test_a_recovery_code_signs_in_once(ada: User, codes: list[str]) -> None:
    assert len(set(codes)) == 8
    answers = []
    for _ in range(2):
        browser = Client()
        browser.post(reverse("sign-in"), RIGHT)
        answers.append(browser.post(reverse("second-factor"), {"code": codes[0]}).status_code)
    assert answers == [302, 422]


def test_the_second_factor_goes_with_the_password_only(
    signed_in: Client, ada: User, codes: list[str]
) -> None:
    signed_in.post(reverse("factor-remove"), {"password": "guess"})
    assert TOTPDevice.objects.filter(user=ada, confirmed=True).exists()
    signed_in.post(reverse("factor-remove"), {"password": RIGHT["password"]})
    assert not TOTPDevice.objects.filter(user=ada).exists()


def test_another_phone_takes_the_place_with_the_password_only(
    signed_in: Client, ada: User, codes: list[str]
) -> None:
    first = TOTPDevice.objects.get(user=ada)
    assert 'type="password"' in signed_in.get(reverse("factor-new")).content.decode()
    for password in ({}, {"password": "guess"}):
        answer = signed_in.post(reverse("factor-new"), {"code": code_of(ada)} | password)
        assert answer.status_code == 422
    assert TOTPDevice.objects.get(user=ada, confirmed=True) == first
    assert signed_in.post(
        reverse("factor-new"), {"code": code_of(ada), "password": RIGHT["password"]}
    ).context["codes"]
    assert TOTPDevice.objects.get(user=ada) != first


def test_two_secrets_that_were_made_at_once_are_no_error(signed_in: Client, ada: User) -> None:
    old = [TOTPDevice.objects.create(user=ada, confirmed=False, name="phone") for _ in range(2)]
    page = signed_in.get(reverse("factor-new"))
    assert page.context["address"] == old[0].config_url
    clock = TOTP(old[0].bin_key, old[0].step, old[0].t0, old[0].digits)
    assert signed_in.post(reverse("factor-new"), {"code": f"{clock.token():06d}"}).context["codes"]
    assert TOTPDevice.objects.get(user=ada) == old[0]


def test_the_way_back_is_kept_whole_over_the_second_step(ada: User, codes: list[str]) -> None:
    browser, wanted = Client(), "/devices/?q=a&page=1"
    answer = browser.post(f"{reverse('sign-in')}?{urlencode({'next': wanted})}", RIGHT)
    there = browser.post(answer.headers["Location"], {"code": code_of(ada, ahead=1)}).headers["Location"]
    assert there == wanted


def test_the_second_step_is_for_those_who_gave_the_password(client: Client) -> None:
    assert client.get(reverse("second-factor")).headers["Location"] == reverse("sign-in")


def test_signing_out_everywhere_ends_every_session(ada: User) -> None:
    here, there = Client(), Client()
    for browser in (here, there):
        browser.post(reverse("sign-in"), RIGHT)
    here.post(reverse("sign-out-everywhere"))
    assert [browser.get("/").status_code for browser in (here, there)] == [302, 302]
