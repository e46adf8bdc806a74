"""Every address of the application."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("chamnet_web.accounts.urls")),
    path("", include("devices.runs.urls")),
    path("", include("devices.urls")),
    path("", include("search.urls")),
]
