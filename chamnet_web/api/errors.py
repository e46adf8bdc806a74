"""Every error as `{"detail": sentence, "problems": [sentences]}`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from chamnet_web.api.access import TooManyRequests
from devices.api.answers import Refused
from devices.runs.services import TooManyRunsError

NO_KEY = "Send an access token in the header: Authorization: Bearer … Make one on your account's page."
NOT_THERE = "There is no such thing, or it belongs to another team."


def problem(status: int, detail: str, problems: Sequence[str] = ()) -> HttpResponse:
    return JsonResponse({"detail": detail, "problems": list(problems)}, status=status)


def refusal(error: Any) -> HttpResponse:
    """The answer that a Refused stands for."""
    response = problem(error.status, error.detail, error.problems)
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.seconds)
    return response


def handle_errors(api: NinjaAPI) -> None:
    """Has the API answer every error that somebody can cause in one shape."""
    api.add_exception_handler(AuthenticationError, _unknown)
    api.add_exception_handler(HttpError, _http)
    api.add_exception_handler(Http404, lambda request, error: problem(404, NOT_THERE))
    api.add_exception_handler(ValidationError, _invalid)
    api.add_exception_handler(Refused, lambda request, error: refusal(error))
    api.add_exception_handler(IntegrityError, _taken)
    api.add_exception_handler(TooManyRunsError, lambda request, error: problem(429, str(error)))


def not_found(request: HttpRequest, path: str) -> HttpResponse:
    """The answer of addresses that there are none of."""
    return problem(404, "The API has no such address; /api/ lists those it has.")


def not_allowed(refused: HttpResponseNotAllowed) -> HttpResponse:
    """The answer to a method that an address does not take."""
    response = problem(405, f"This address takes {refused.headers['Allow']}.")
    response.headers["Allow"] = refused.headers["Allow"]
    return response


def _unknown(request: HttpRequest, error: Any) -> HttpResponse:
    response = problem(401, NO_KEY)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _http(request: HttpRequest, error: Any) -> HttpResponse:
    if error.status_code == 400:
        return problem(400, "The request's body is not the JSON that this address takes.")
    return problem(error.status_code, str(error))


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    problems = []
    for one in error.errors:
        place = ".".join(
            str(part) for part in one["loc"][1:] if part not in ("data", "window", "chosen", "piece")
        )
        problems.append(f"{place or one['loc'][0]}: {one['msg']}"[:500])
    return problem(422, "What was sent does not fit.", problems)


def _taken(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(409, "Another request did the same at the same moment: look at what there is now.")
