"""Filters and tags every template may use: numbers and times for people."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.template.context import RequestContext
from django.template.defaultfilters import filesizeformat
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from devices.runs import queries
from devices.runs.models import Run
from devices.runs.modules import imported_by

register = template.Library()

NO_VALUE = "–"


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds as a person says them: 0.4 s, 12 s, 2 min 5 s, 3 h 10 min."""
    if seconds is None:
        return NO_VALUE
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@register.filter
def percent(share: float | None, digits: int = 1) -> str:
    return NO_VALUE if share is None else f"{100 * share:.{digits}f} %"


@register.filter
def decimals(value: float | None, digits: int) -> str:
    """A number with so many digits after the point."""
    return NO_VALUE if value is None else f"{value:.{digits}f}"


@register.filter
def milliseconds(value: float | None) -> str:
    """Milliseconds with three significant digits."""
    if value is None:
        return NO_VALUE
    return f"{Decimal(f'{value:.3g}'):f} ms" if value < 100 else f"{value:.0f} ms"


@register.filter
def count(number: float | None) -> str:
    """A number with three significant digits and k, M or G."""
    if number is None:
        return NO_VALUE
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if number >= limit:
            scale = 1e3 if unit == " k" else limit
            return f"{number / scale:.3g}{unit}"
    return f"{number:,.0f}"


@register.filter
def compact_number(value: float | None) -> str:
    """Two digits that count, of numbers that may be tiny."""
    return "–" if value is None else f"{value:.2g}"


@register.filter
def amount(value: float | None, unit: str) -> str:
    """A quantity of a limit in its unit: milliseconds, millijoules, bytes, or a plain count."""
    if value is None or unit == "":
        return count(value)
    if unit == "bytes":
        return filesizeformat(value)
    return milliseconds(value).replace("ms", unit)


@register.simple_tag
def interval(low: float | None, high: float | None, unit: str) -> str:
    """Both ends of an interval, their unit said once where they share it: 0.0751 to 0.0776 ms."""
    said_low, said_high = (
        (percent(end) if unit == "%" else amount(end, unit)).replace(" ", "\xa0") for end in (low, high)
    )
    number, space, shown = said_low.rpartition("\xa0")
    return f"{number if space and said_high.endswith(space + shown) else said_low} to {said_high}"


@register.filter
def ago(moment: datetime | None) -> str | SafeString:
    """The moment as “5 minutes ago”, with the absolute time on hover."""
    if moment is None:
        return NO_VALUE
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        f"{moment:%Y-%m-%d %H:%M:%S %Z}",
        naturaltime(moment),
    )


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawing of img/icons.svg. Pages have dozens, and an included template takes several times as long."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def status(name: str, label: str = "", live: bool = False) -> SafeString:
    """A status by colour, shape and word.

    name: queued, running, paused, succeeded, failed, cancelled, fresh, stale or none.
    label: another word for it.
    live: true where the run's module keeps it true.
    """
    return format_html(
        '<span class="status status-{}"{}>{}<span>{}</span></span>',
        name,
        format_html(' data-run-status="{}"', name) if live else "",
        icon(name),
        capfirst(label or name),
    )


@register.simple_tag
def log_tail(run: Run) -> list[queries.LogLine]:
    """The last lines of a run's log."""
    return queries.log_tail(run)


@register.simple_tag(takes_context=True)
def query_with(context: RequestContext, **changes: object) -> str:
    """The page's query string with some parameters replaced; None removes one."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"?{query.urlencode()}"


@register.simple_tag
def module(name: str) -> SafeString:
    """A page's script, and hints to load what it imports at once instead of one after the other."""
    hints = format_html_join(
        "", '<link rel="modulepreload" href="{}">', ((static(one),) for one in imported_by(name))
    )
    return format_html('{}<script type="module" src="{}"></script>', hints, static(name))
