"""The Celery application. Workers must not import torch before they fork: tasks import it themselves."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chamnet_web.settings")

app = Celery("chamnet_web")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["devices.runs", "search"])
