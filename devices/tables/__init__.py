"""Latency tables: look-up, coverage, calibration and intervals. Times are in microseconds.

Source of the method: Dai et al., ChamNet, CVPR 2019, section on the latency predictor: a network's latency
is the sum over its operators, looked up in a table measured once per device. The calibration on whole
networks, and learning what was not timed, is ours.

`devices.tables.learning` is not imported here: scikit-learn takes a second that only workers spend.
"""

from __future__ import annotations

from devices.tables.calibration import Calibration, calibrate
from devices.tables.families import first_operators
from devices.tables.measurement import Measurement
from devices.tables.table import Coverage, OperatorTable

__all__ = [
    "Calibration",
    "Coverage",
    "Measurement",
    "OperatorTable",
    "calibrate",
    "first_operators",
]
