from __future__ import annotations

from django.urls import path

from devices.runs import views
from devices.runs.notices import views as notices

urlpatterns = [
    path("runs/<uuid:run_id>/notify/", views.notify, name="run-notify"),
    path("runs/<uuid:run_id>/<str:action>/", views.act, name="run-action"),
    path("runs/<uuid:run_id>.log", views.log, name="run-log"),
    path("account/notices/", notices.notices, name="notices"),
    path("account/notices/secret/", notices.secret_new, name="notices-secret"),
    path("account/notices/test/", notices.test, name="notices-test"),
]
