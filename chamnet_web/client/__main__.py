"""`python -m chamnet_web.client`, the same as `chamnet`."""

from __future__ import annotations

from chamnet_web.client.command import main

main()
