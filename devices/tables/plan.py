"""How much is measured for a table."""

from __future__ import annotations

ROUNDS = 8  # in which every chosen operator is visited once
FIRST_ROUNDS = 2  # of those, over operators that were just chosen, before it is decided which are next
NETWORK_ROUNDS = 8
MEASURED_WHOLE = 2000  # a space with more distinct operators is timed in part, and the rest learned
LEARNING_TURNS = 4  # times that further operators of such a space are chosen
CHOSEN_AT_ONCE = 300
