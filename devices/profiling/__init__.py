"""Measuring operators and whole networks on the machine this runs on, in the engine that exports use."""

from __future__ import annotations

from devices.profiling.bench import OperatorBench, bind, time_call, time_networks
from devices.profiling.kernels import build_inference_network, build_kernel, example_inputs
from devices.profiling.machine import describe_machine
from devices.profiling.torchscript import freeze, load, save

__all__ = [
    "OperatorBench",
    "bind",
    "build_inference_network",
    "build_kernel",
    "describe_machine",
    "example_inputs",
    "freeze",
    "load",
    "save",
    "time_call",
    "time_networks",
]
