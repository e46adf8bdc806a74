"""How long a search will take, from what earlier ones took to score their networks."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from search.models import Search

NEWEST = 20


@dataclass(frozen=True, slots=True)
class ScoringPace:
    """Seconds to score one network: in the middle of the earlier searches, the least and the most.

    searches: how many these were. own: whether they are the team's; else they are of this installation.
    """

    seconds: float
    least: float
    most: float
    searches: int
    own: bool

    def span(self, networks: int) -> tuple[float, float, float]:
        """Seconds of a search that scores so many networks: about, at least, at most."""
        return self.seconds * networks, self.least * networks, self.most * networks


def scoring_pace(owner: Any) -> ScoringPace | None:
    """From the newest searches that ended well, of the team where it has some; None where nobody has.

    From start to end, as a person waits for it, with pauses between steps for other work. Two queries.
    """
    for own, rows in ((True, Search.objects.owned_by(owner)), (False, Search.objects.all())):
        newest = rows.usable().select_related("run").defer("state", "front").order_by("-created_at")[:NEWEST]
        found = [one.run.seconds / (one.population * one.generations) for one in newest if one.run.seconds]
        if found:
            return ScoringPace(median(found), min(found), max(found), len(found), own)
    return None
