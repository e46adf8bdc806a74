"""Lists of what a person has: filtered, sorted, counted and paged by their address, and given out as files.

A `Listing` describes one: its columns, what its text filter looks at, its choices. `listed` applies it to a
queryset as the address asks: `?q=text&status=failed&sort=-started&page=2&format=csv`. Parameters that mean
nothing are ignored, except a value that a choice does not have: that matches nothing, rather than everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import attrgetter, or_
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import DurationField, ExpressionWrapper, F, Model, Q, QuerySet
from django.db.models.expressions import Expression, OrderBy
from django.db.models.functions import Coalesce, Now
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from devices.exports import Export, export
from devices.runs.models import Run

ROWS_PER_PAGE = 50
MOST_OPTIONS = 200
ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a list.

    name: of the sort in the address and of the column in files.
    label: of the head; a column without one stands in files alone.
    value: of a row: a path of attributes with dots, or a function.
    sort: what the database sorts by: the path, where it is left out. None where nothing sorts by it.
    """

    name: str
    label: str
    value: str | Callable[[Any], object]
    sort: str | Expression | F | None = ""
    number: bool = False

    @property
    def key(self) -> str | None:
        """The sort's name in the address."""
        return None if self.order is None else self.name

    @property
    def order(self) -> Expression | F | None:
        if self.sort != "":
            return F(self.sort) if isinstance(self.sort, str) else self.sort
        return F(self.value.replace(".", "__")) if isinstance(self.value, str) else None

    @property
    def read(self) -> Callable[[Any], object]:
        return attrgetter(self.value) if isinstance(self.value, str) else self.value


class Options(Sequence[tuple[str, str]]):
    """Values and labels from rows' fields, each once, by label: as many as a drop-down has room for."""

    def __init__(self, rows: QuerySet[Any], value: str, label: str) -> None:
        self._pairs, self._value = rows.order_by(label, value).values_list(value, label).distinct(), value
        first = list(self._pairs[:MOST_OPTIONS])
        self._has_all = len(first) < MOST_OPTIONS
        self._shown = self._texts(first)

    @staticmethod
    def _texts(pairs: Iterable[Any]) -> list[tuple[str, str]]:
        return [(str(one), str(said)) for one, said in pairs if one not in (None, "")]

    def __len__(self) -> int:
        return len(self._shown)

    def __getitem__(self, place: Any) -> Any:
        return self._shown[place]

    def beyond(self, asked: str) -> list[tuple[str, str]]:
        """The option with this value, where the rows have it and the drop-down has no room for it."""
        if self._has_all:
            return []
        try:
            return self._texts(self._pairs.filter(**{self._value: asked})[:1])
        except (ValidationError, ValueError):  # The field has no such values.
            return []


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter by one of some values. `lookup` is a field's lookup, or a function (rows, value) -> rows."""

    name: str
    label: str
    options: Sequence[tuple[str, str]]
    lookup: str | Callable[[QuerySet[Any], str], QuerySet[Any]]

    def offered(self, asked: str) -> Sequence[tuple[str, str]]:
        """What the drop-down has, with the value asked for where it is one that found no room there."""
        known = not asked or asked in {str(option) for option, _ in self.options}
        if known or not isinstance(self.options, Options):
            return self.options
        return [*self.options, *self.options.beyond(asked)]

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value not in {str(option) for option, _ in self.offered(value)}:
            return rows.none()
        return (
            rows.filter(**{self.lookup: value}) if isinstance(self.lookup, str) else self.lookup(rows, value)
        )


STATUS = Choice("status", "Status", Run.Status.choices, "run__status")


def options_of(rows: QuerySet[Any], value: str, label: str = "") -> Options:
    """Values and labels of a choice from rows' fields."""
    return Options(rows, value, label or value)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list has. `noun` is one row and many; the file is named after the many."""

    noun: tuple[str, str]
    columns: Sequence[Column]
    searched: Sequence[str]
    order: str
    choices: Sequence[Choice] = ()
    per_page: int = ROWS_PER_PAGE


class Listed:
    """A listing as an address asks for it. Lazy: a page counts and reads one page, a file reads all rows.

    `total` is how many rows there are, where that was counted already.
    """

    def __init__(
        self, request: HttpRequest, listing: Listing, rows: QuerySet[Any], total: int | None = None
    ) -> None:
        self.listing, self.rows, self._total = listing, rows, total
        self.q = request.GET.get("q", "").strip()
        self.chosen = {choice.name: request.GET.get(choice.name, "") for choice in listing.choices}
        sorts = {column.name for column in listing.columns if column.order is not None}
        asked = request.GET.get("sort", "")
        self.sort = asked if asked.removeprefix("-") in sorts else listing.order
        self._asked = request.GET

    @property
    def is_filtered(self) -> bool:
        return bool(self.q or any(self.chosen.values()))

    @property
    def columns(self) -> list[Column]:
        return [column for column in self.listing.columns if column.label]

    @property
    def choices(self) -> list[dict[str, Any]]:
        """The choices with what is chosen; one with a single option is no choice, unless it is chosen."""
        asked = ((one, self.chosen[one.name]) for one in self.listing.choices)
        return [
            {"name": one.name, "label": one.label, "options": one.offered(chosen), "chosen": chosen}
            for one, chosen in asked
            if len(one.options) > 1 or chosen
        ]

    @cached_property
    def matching(self) -> QuerySet[Any]:
        """The rows that pass the filters, in order; equals are told apart by their key."""
        found = self.rows
        if self.q:
            found = found.filter(
                reduce(or_, (Q(**{f"{path}__icontains": self.q}) for path in self.listing.searched))
            )
        for choice in self.listing.choices:
            if value := self.chosen[choice.name]:
                found = choice.apply(found, value)
        column = next(one for one in self.listing.columns if one.name == self.sort.removeprefix("-"))
        return found.order_by(self._direction(column), "pk")

    def _direction(self, column: Column) -> OrderBy:
        """Rows without a value come last either way; a field that is never empty may come from its index."""
        order = column.order
        assert order is not None  # noqa: S101  (only columns with one are sorts; for the type checker)
        fields = {field.name for field in self.rows.model._meta.concrete_fields if not field.null}
        empty_last = None if isinstance(order, F) and str(getattr(order, "name", "")) in fields else True
        turned = order.desc if self.sort.startswith("-") else order.asc
        direction: OrderBy = turned(nulls_last=empty_last)
        return direction

    @cached_property
    def page(self) -> Page[Model]:
        paginator = Paginator(self.matching, self.listing.per_page)
        if self._total is not None and not self.is_filtered:
            vars(paginator)["count"] = self._total  # what its cached property would count
        return paginator.get_page(self._asked.get("page"))

    @cached_property
    def count(self) -> int:
        """Of the rows that match."""
        return int(self.page.paginator.count)

    @cached_property
    def total(self) -> int:
        """Of all rows, whatever the filters."""
        if self._total is not None:
            return self._total
        return self.rows.count() if self.is_filtered else self.count

    @property
    def words(self) -> str:
        """How many there are: “340 searches”, “12 of 340 searches”."""
        noun = self.listing.noun[self.total != 1]
        found = f"{intcomma(self.count)} of " if self.is_filtered else ""
        return f"{found}{intcomma(self.total)} {noun}"

    @property
    def cleared(self) -> str:
        """The address without filters; the order stays."""
        query = self._asked.copy()
        for name in ("q", "page", *self.chosen):
            query.pop(name, None)
        return f"?{query.urlencode()}"

    @property
    def many(self) -> str:
        return self.listing.noun[1]

    @property
    def export(self) -> Export:
        """Every row that matches."""
        return Export(
            self.many.replace(" ", "-"), [column.name for column in self.listing.columns], self._values
        )

    def _values(self) -> Iterator[list[object]]:
        reads = [column.read for column in self.listing.columns]
        for row in self.matching.iterator(chunk_size=ROWS_AT_ONCE):
            yield [read(row) for read in reads]


def seconds(row: Any) -> float | None:
    """Of the row's run, or of the row that is one."""
    found: float | None = getattr(row, "run", row).seconds
    return found


def time_taken(run: str = "run__") -> Expression:
    """What `seconds` is sorted by. `run` leads to the run."""
    until = Coalesce(F(f"{run}finished_at"), Now())
    return ExpressionWrapper(until - F(f"{run}started_at"), output_field=DurationField())


def list_response(
    request: HttpRequest,
    listing: Listing,
    rows: QuerySet[Any],
    template: str,
    *,
    prepare: Callable[[Sequence[Any]], None] | None = None,
    **context: Any,
) -> HttpResponseBase:
    """The page of a list, or its file where the address asks for a format.

    `prepare` is given the rows of the page, to put on them what takes a query for all of them.
    """
    shown = Listed(request, listing, rows)
    if (file_format := request.GET.get("format")) is not None:
        return export(request, shown.export, file_format)
    if prepare is not None:
        shown.page.object_list = list(shown.page)
        prepare(shown.page.object_list)
    return render(request, template, {"listed": shown} | context)
