"""Every address of the application."""

from __future__ import annotations

from django.urls import include, path

from chamnet_web import health
from chamnet_web.api.pages import api_page
from chamnet_web.api.routes import urls as api_urls

urlpatterns = [
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("metrics", health.metrics),
    path("api/v1/", api_urls),
    path("api/", api_page, name="api-page"),
    path("", include("chamnet_web.accounts.urls")),
    path("", include("chamnet_web.guide.urls")),
    path("", include("devices.runs.urls")),
    path("", include("devices.urls")),
    path("", include("search.urls")),
]
