"""The one settings file. Every variable it reads is listed, with its default, in .env.example."""

from __future__ import annotations

import hashlib
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery.schedules import crontab

from chamnet_web.environment import (
    database,
    email,
    env,
    log_format,
    log_level,
    public_url,
    redis_url,
    secret_key,
    storage,
    switch,
    time_zone,
    whole_number,
)

BASE_DIR = Path(__file__).resolve().parent.parent
env.read_env(str(BASE_DIR / ".env"))

DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)

SECRET_KEY = secret_key(DATA_DIR)
DEBUG = switch("DEBUG", False)
HOST = env.str("HOST", "127.0.0.1")
PORT = whole_number("PORT", 8000, at_most=65535)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
BEHIND_TLS = switch("BEHIND_TLS", False)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "chamnet_web",
    "chamnet_web.accounts",
    "devices.runs",
    "devices",
    "search",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "chamnet_web.security.NoNulMiddleware",
    "chamnet_web.compression.CompressionMiddleware",
    "chamnet_web.security.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "chamnet_web.accounts.middleware.OneTimePasswordMiddleware",
    "chamnet_web.accounts.middleware.TeamMiddleware",
    "chamnet_web.accounts.middleware.AuditMiddleware",
    "devices.runs.middleware.TooManyRunsMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "chamnet_web.urls"
ASGI_APPLICATION = "chamnet_web.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["devices.runs.templatetags.runs", "chamnet_web.guide.templatetags.guide"],
        },
    }
]

DATABASES = {"default": database(DATA_DIR)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE takes the write lock when a transaction starts: waiting for it then is safe, while a
    # lock asked for in mid-transaction fails at once as "database is locked".
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
OWNER_MODEL = "accounts.Team"  # whom devices, runs, predictors and models belong to
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
# After so many wrong passwords for a name from an address, neither is heard for a while.
AXES_FAILURE_LIMIT = whole_number("SIGN_IN_ATTEMPTS", 5)
AXES_COOLOFF_TIME = timedelta(minutes=whole_number("SIGN_IN_WAIT_MINUTES", 10))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_TEMPLATE = "accounts/locked.html"
AXES_DISABLE_ACCESS_LOG = True  # the teams' audit trail has it
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
OTP_TOTP_ISSUER = "ChamNet"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
SESSION_COOKIE_AGE = whole_number("SESSION_DAYS", 7, at_most=365) * 24 * 3600
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-gb"
USE_I18N = False
TIME_ZONE = time_zone()
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "chamnet_web.static.NodePackageFinder",
]
STORAGES: dict[str, Any] = {
    "default": storage(),
    "staticfiles": {"BACKEND": "chamnet_web.static.HashedModuleStorage"},
}
MEDIA_ROOT = DATA_DIR / "files"
# Data sets are mapped into memory, so they lie on a disk that every worker sees.
DATASET_ROOT = DATA_DIR / "datasets"
UPLOAD_ROOT = DATA_DIR / "uploads"
DATASET_UPLOAD_MB = whole_number("DATASET_UPLOAD_MB", 4_000, at_most=1_000_000)
DATASET_UNPACKED_MB = whole_number("DATASET_UNPACKED_MB", 64_000, at_most=10_000_000)
DATASET_PACKED_MB = whole_number("DATASET_PACKED_MB", 16_000, at_most=10_000_000)
DATASET_FILES = whole_number("DATASET_FILES", 2_000_000, at_most=100_000_000)
DATASET_PIXELS = whole_number("DATASET_PIXELS", 50_000_000, at_most=1_000_000_000)
DATASET_CLASSES = whole_number("DATASET_CLASSES", 10_000, at_most=100_000)
# Where folders lie that administrators may register.
DATASET_FOLDERS: list[str] = env.list("DATASET_FOLDERS", default=[])
WHITENOISE_KEEP_ONLY_HASHED_FILES = False

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = ["^health/", "^metrics$"]  # asked for on the local network, without TLS
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = switch("HSTS_SUBDOMAINS", False)
# What subdomains of the domain do is for its owner to say, by HSTS_SUBDOMAINS.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]


def _embedded_redis_socket() -> Path:
    """Where the embedded server listens: beside the data, unless that path is too long for a socket."""
    beside_data = DATA_DIR / "redis" / "redis.sock"
    if len(str(beside_data)) < 100:
        return beside_data
    digest = hashlib.sha256(str(beside_data).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"chamnet-{os.getuid()}-{digest}" / "redis.sock"


EMBEDDED_REDIS_SOCKET = _embedded_redis_socket()
REDIS_URL = redis_url()
EMBEDDED_REDIS = not REDIS_URL
if EMBEDDED_REDIS:
    REDIS_URL = f"unix://{EMBEDDED_REDIS_SOCKET}"

CHANNEL_LAYERS: dict[str, Any] = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "chamnet"},
    }
}

# How often each token and session has asked in this minute, counted for all processes together.
API_REQUESTS_PER_MINUTE = whole_number("API_REQUESTS_PER_MINUTE", 600, at_most=1_000_000)
CACHES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "rates": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL},
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "light"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker as long as that is away
# Rows decide what is done, not the broker: a message is never redelivered while its step runs. And who
# announces a step to a broker that is away goes on at once: the sweep announces it again.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 30 * 24 * 3600,
    "socket_timeout": 30,
    "socket_connect_timeout": 3,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}
SWEEP_SECONDS = whole_number("SWEEP_SECONDS", 5)
# What must not wait behind an hour's step: looking for lost steps, and notices.
HOUSEKEEPING_QUEUE = "housekeeping"
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "devices.runs.tasks.sweep",
        "schedule": SWEEP_SECONDS,
        "options": {"expires": 60, "queue": HOUSEKEEPING_QUEUE},
    },
    "prune": {
        "task": "search.tasks.prune_disk",
        "schedule": crontab(hour="3", minute="30"),
        "options": {"expires": 6 * 3600},
    },
}
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat")

WEB_WORKERS = whole_number("WEB_WORKERS", min(2, os.cpu_count() or 1), at_most=64)
TRAIN_WORKERS = whole_number("TRAIN_WORKERS", os.cpu_count() or 1, at_most=256)
LIGHT_WORKERS = whole_number("LIGHT_WORKERS", 1, at_most=64)
STEP_LEASE_SECONDS = whole_number("STEP_LEASE_SECONDS", 60, at_least=2)
STEP_ATTEMPTS = whole_number("STEP_ATTEMPTS", 3)
TEAM_RUNS = whole_number("TEAM_RUNS", 100)

# Notices of the ends of runs.
PUBLIC_URL = public_url(HOST, PORT)
_mail_server = email()
EMAIL_IS_SET_UP: bool = bool(_mail_server)
vars().update(_mail_server)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "chamnet@localhost")
EMAIL_TIMEOUT = 10
WEBHOOK_PRIVATE_ADDRESSES = switch("WEBHOOK_PRIVATE_ADDRESSES", False)

# Days after the end of a run; 0 keeps for ever.
RETAIN_EVENTS_DAYS = whole_number("RETAIN_EVENTS_DAYS", 90, at_least=0)
RETAIN_CHECKPOINTS_DAYS = whole_number("RETAIN_CHECKPOINTS_DAYS", 7, at_least=0)
RETAIN_KERNELS_DAYS = whole_number("RETAIN_KERNELS_DAYS", 30, at_least=0)

METRICS_TOKEN = env.str("METRICS_TOKEN", "")

# A program that prints the joules used so far ("12.3 J") or the power now ("4.5 W") of this machine.
ENERGY_COMMAND = env.str("ENERGY_COMMAND", "")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"subject": {"()": "devices.runs.logs.SubjectFilter"}},
    "formatters": {
        "plain": {"format": "{asctime} {levelname} {name}: {subject}{message}", "style": "{"},
        "json": {"()": "devices.runs.logs.JsonFormatter"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": log_format(), "filters": ["subject"]}
    },
    "root": {"handlers": ["console"], "level": log_level()},
    "loggers": {"django.channels.server": {"level": "WARNING"}, "axes": {"level": "WARNING"}},
}
