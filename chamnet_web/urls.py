"""Every address of the application."""

from __future__ import annotations

from django.urls import include, path

from chamnet_web import health
from devices.api import api

api_urls = api.urls
for pattern in api_urls[0]:
    # Tokens are its key, and Django's middleware knows sessions only.
    vars(pattern.callback)["login_required"] = False

urlpatterns = [
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("metrics", health.metrics),
    path("api/v1/", api_urls),
    path("", include("chamnet_web.accounts.urls")),
    path("", include("chamnet_web.guide.urls")),
    path("", include("devices.runs.urls")),
    path("", include("devices.urls")),
    path("", include("search.urls")),
]
