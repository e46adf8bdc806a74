"""The project's settings on data of the tests' own, without a broker."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="chamnet-tests-")
os.environ["TRAIN_WORKERS"] = "2"
atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)

from chamnet_web.settings import *  # noqa: E402, F403
from chamnet_web.settings import CACHES, DATA_DIR, DATABASES, STATIC_ROOT, STORAGES  # noqa: E402

STATIC_ROOT.mkdir()

if "sqlite3" in DATABASES["default"]["ENGINE"]:
    # A file as in production: threads of one test then meet the same locks as processes would.
    DATABASES["default"].setdefault("TEST", {})["NAME"] = str(DATA_DIR / "test.sqlite3")
    # Whoever forgets to ask for an order gets that of insertion from SQLite, and any from PostgreSQL.
    DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA reverse_unordered_selects=ON;"
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
CACHES["rates"] = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "rates"}
CELERY_BROKER_URL = "memory://"
EMBEDDED_REDIS = False  # the two above stand in for it
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STEP_LEASE_SECONDS = 30
