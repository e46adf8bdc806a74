"""Log records that say which run and step they are about, as text or as JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_subject: ContextVar[dict[str, str]] = ContextVar("log_subject", default={})  # noqa: B039  (never changed)


@contextmanager
def about(**subject: object) -> Iterator[None]:
    """Everything logged inside, by whomever, is about this run and step."""
    token = _subject.set(_subject.get() | {name: str(value) for name, value in subject.items()})
    try:
        yield
    finally:
        _subject.reset(token)


class SubjectFilter(logging.Filter):
    """Gives every record `run` and `step`, empty where it is about none, and `subject` for a line of text."""

    def filter(self, record: logging.LogRecord) -> bool:
        known = _subject.get()
        record.run, record.step = known.get("run", ""), known.get("step", "")
        record.subject = " ".join(["run", *filter(None, known.values())]) + ": " if known else ""
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, run, step, and the traceback as `error`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: text for name in ("run", "step") if (text := getattr(record, name, ""))}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
