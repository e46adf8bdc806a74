"""HTTP and WebSocket entry point."""

from __future__ import annotations

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.sessions import SessionMiddlewareStack
from django.core.asgi import get_asgi_application

from chamnet_web.static_files import StaticFiles

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chamnet_web.settings")
http = get_asgi_application()

# Models load only after the set-up above.
from chamnet_web.accounts.sockets import TeamInScope  # noqa: E402
from devices.runs.routing import websocket_urlpatterns  # noqa: E402

sockets = SessionMiddlewareStack(TeamInScope(URLRouter(websocket_urlpatterns)))

application = ProtocolTypeRouter(
    {
        "http": StaticFiles(http),
        "websocket": AllowedHostsOriginValidator(sockets),
    }
)
