"""What a person sees of the agent."""

from __future__ import annotations

import time
from typing import TextIO

WIDTH = 24
LINE_EVERY_SECONDS = 5.0


class Terminal:
    """One line that changes on a terminal; a line now and then in a file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._live = stream, stream.isatty()
        self._open = False
        self._last, self._written_at = "", 0.0

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._open:
            self._stream.write("\n")
        self._stream.write(text + "\n")
        self._stream.flush()
        self._open, self._last = False, text

    def progress(self, title: str, done: int, total: int | None, message: str) -> None:
        share = min(done / total, 1.0) if total else 0.0
        filled = round(WIDTH * share)
        bar = "█" * filled + "░" * (WIDTH - filled)
        self._show(f"{title}  {bar} {100 * share:3.0f} %  {message}")

    def idle(self, message: str) -> None:
        self._show(message)

    def waiting(self, reason: str, seconds: float) -> None:
        """Called before a connection is tried again."""
        self.say(f"No connection ({reason}); trying again in {seconds:.0f} s.")

    def _show(self, text: str) -> None:
        now = time.monotonic()
        if self._live:
            self._stream.write("\r\x1b[2K" + text)
            self._open = True
        elif text == self._last or now - self._written_at < LINE_EVERY_SECONDS:
            return
        else:
            self._stream.write(text + "\n")
        self._stream.flush()
        self._last, self._written_at = text, now
