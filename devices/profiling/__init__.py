"""Operators and whole networks as frozen TorchScript, measured on the machine this runs on."""

from __future__ import annotations

from devices.profiling.bench import OperatorBench, bind, network_calls, time_networks
from devices.profiling.kernels import build_inference_network, build_kernel, example_inputs
from devices.profiling.torchscript import engine_name, freeze, load, save, torchscript_network

__all__ = [
    "OperatorBench",
    "bind",
    "build_inference_network",
    "build_kernel",
    "engine_name",
    "example_inputs",
    "freeze",
    "load",
    "network_calls",
    "save",
    "time_networks",
    "torchscript_network",
]
