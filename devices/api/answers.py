"""What every endpoint answers with: pages of lists, and why something was refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Generic, TypeVar

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Field, Schema
from pydantic import StringConstraints

T = TypeVar("T")
MOST_ITEMS = 100
FURTHEST = 10**9

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=500)]
"""A short text that databases take: without the NUL character."""
Line = Annotated[str, StringConstraints(max_length=500)]
"""A short text that a form looks at."""
File = Annotated[str, StringConstraints(max_length=2_500_000)]
"""The text of a file, within the bytes that a body of JSON may have (DATA_UPLOAD_MAX_MEMORY_SIZE)."""
Size = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Problem(Schema):
    """Why a request was refused: the sentence, and for what was sent every problem with the field's name."""

    detail: str
    problems: list[str] = []


class Refused(Exception):
    """Ends a request with a status and a sentence for whoever made it."""

    def __init__(self, status: int, detail: str, problems: Iterable[str] = ()) -> None:
        super().__init__(detail)
        self.status, self.detail, self.problems = status, detail, list(problems)


class Window(Schema):
    """Which part of a list is answered."""

    limit: int = Field(default=50, ge=1, le=MOST_ITEMS)
    offset: int = Field(default=0, ge=0, le=FURTHEST)


class Page(Schema, Generic[T]):
    """A part of a list, how many there are in all, and the address of the next part."""

    items: list[T]
    count: int
    next: str | None = None


class Linked(Schema):
    """Something that has a page."""

    url: str = Field(description="The path of its page.")

    @staticmethod
    def resolve_url(row: Any) -> str:
        return str(row.get_absolute_url())


class With:
    """A row as an answer shows it: with further facts, that stand before its own."""

    def __init__(self, row: Any, **facts: Any) -> None:
        self._row = row
        vars(self).update(facts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)


def page_of(
    request: HttpRequest,
    rows: QuerySet[Any] | list[Any],
    window: Window,
    shape: Callable[[list[Any]], list[Any]] = list,
) -> dict[str, Any]:
    """The part of `rows` that `window` asks for, as a Page; `shape` makes items of the rows."""
    count = len(rows) if isinstance(rows, list) else rows.count()
    end = window.offset + window.limit
    address = None
    if end < count:
        query = request.GET.copy()
        query["offset"], query["limit"] = str(end), str(window.limit)
        address = f"{request.path}?{query.urlencode()}"
    return {"items": shape(list(rows[window.offset : end])), "count": count, "next": address}


def checked(form: forms.BaseForm, *rows: forms.BaseForm) -> dict[str, Any]:
    """What a form made of its data. Raises Refused with all sentences of it, and of its further `rows`."""
    if form.is_valid():
        return form.cleaned_data
    problems = [f"limits.{number}.{problem}" for number, row in enumerate(rows) for problem in _problems(row)]
    if problems:  # of which the form as a whole says that they are there
        form.errors.pop("__all__", None)
    problems += _problems(form)
    raise Refused(422, problems[0].partition(": ")[2] if problems else "This is not valid.", problems)


def _problems(form: forms.BaseForm) -> list[str]:
    return [
        f"{'form' if name == '__all__' else name}: {message}"
        for name, messages in form.errors.items()
        for message in messages
    ]


def filled(data: Schema) -> dict[str, Any]:
    """A schema's values as a form takes them: what was not given is left out."""
    return {name: value for name, value in data.model_dump().items() if value is not None}


def told_once(request: HttpRequest, *names: str) -> None:
    """Says which values of the answer are stored nowhere: a request that is sent again gets null for them."""
    request.told_once = names  # type: ignore[attr-defined]


def secrets_of(request: HttpRequest) -> tuple[str, ...]:
    """What `told_once` said."""
    found: tuple[str, ...] = getattr(request, "told_once", ())
    return found


def file_answer(kind: str) -> dict[str, Any]:
    """What the document says of an operation that answers with a file."""
    return {"responses": {200: {"content": _file(kind)}}}


def file_body(kind: str) -> dict[str, Any]:
    """What the document says of an operation that takes a file as it is."""
    return {"requestBody": {"content": _file(kind), "required": True}}


def _file(kind: str) -> dict[str, Any]:
    is_text = kind.startswith("text/")
    return {kind: {"schema": {"type": "string"} | ({} if is_text else {"format": "binary"})}}


def content_of(request: HttpRequest, at_most: int) -> bytes:
    """The request's body, whatever it is. Raises Refused when it is longer than `at_most` bytes."""
    content: bytes | None = getattr(request, "content", None)
    if content is None:
        content = request.read(at_most + 1)
        request.content = content  # type: ignore[attr-defined]  # it can be read once only
    if len(content) > at_most:
        raise Refused(413, f"The file is larger than {at_most // 10**6} MB.")
    return content
