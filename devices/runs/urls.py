from __future__ import annotations

from django.urls import path

from devices.runs import views

urlpatterns = [
    path("runs/<uuid:run_id>/<str:action>/", views.act, name="run-action"),
    path("runs/<uuid:run_id>.log", views.log, name="run-log"),
]
