"""The REST API of devices, tables and runs, a module a subject; the composition root mounts the routers.

The layer is thin: every endpoint finds its rows, calls a service and shapes the answer.
"""
