"""The shop's settings. Everything that differs from place to place comes from the environment."""

from __future__ import annotations

import os
from pathlib import Path

import django
from django.core.management.utils import get_random_secret_key

BASE_DIR = Path(__file__).parent
DATA_DIR = Path(os.environ.get("SHOP_DATA_DIR", BASE_DIR / "data"))

# Without a key of its own, everybody has to log in again after a restart.
SECRET_KEY = os.environ.get("SHOP_SECRET_KEY") or get_random_secret_key()
DEBUG = os.environ.get("SHOP_DEBUG", "1") == "1"
ALLOWED_HOSTS = os.environ.get("SHOP_HOSTS", "localhost 127.0.0.1 [::1]").split()

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "poststack_django",
    "example_projects.django_shop.store",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "example_projects.django_shop.urls"
WSGI_APPLICATION = "example_projects.django_shop.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA_DIR / "shop.sqlite3",
        # Webhooks arrive while pages are served: writers wait for each other instead of failing.
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=wal"},
    }
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
LOGIN_URL = "log-in"
LOGIN_REDIRECT_URL = "account"
LOGOUT_REDIRECT_URL = "home"

# The queue. Celery reads this variable by itself, too; without it nothing is queued, and the drainer sends the mail.
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # However long it is away: after 100 tries worker and beat would end.
# A Redis that takes connections and never answers must not hold up customers. RabbitMQ has other options.
if CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 5}
CELERY_TASK_IGNORE_RESULT = True
# Sending is waiting for an answer: threads do that as well as processes, and cost less.
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = 4
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat")
CELERY_BEAT_SCHEDULE = {
    # Mail whose task the broker did not take, or has lost. Looks that no worker was there for need not be made up for.
    "send what is left in the outbox": {"task": "poststack_django.drain", "schedule": 10, "options": {"expires": 10}},
}

# The mail. The key, the address of the API and the webhook secret are read from POSTSTACK_API_KEY, POSTSTACK_BASE_URL
# and POSTSTACK_WEBHOOK_SECRETS. Nothing is sent to an address again once mail to it has bounced.
DEFAULT_FROM_EMAIL = "Kettle & Leaf <hello@kettle-and-leaf.example>"
POSTSTACK = {"SUPPRESSIONS": True, "OUTBOX": {"TASKS": "celery" if CELERY_BROKER_URL else False}}
# Customers' mail is stored with what it is about, in one transaction; when that has committed, a worker sends it.
# Reports of errors to ADMINS leave at once, since the transaction that has failed would take them along, and never
# become errors themselves.
if django.VERSION >= (6, 1):
    MAILERS = {
        "default": {"BACKEND": "poststack_django.backends.OutboxEmailBackend"},
        "admin": {"BACKEND": "poststack_django.backends.EmailBackend", "OPTIONS": {"fail_silently": True}},
    }
    reports_by = {"using": "admin"}
else:
    EMAIL_BACKEND = "poststack_django.backends.OutboxEmailBackend"
    reports_by = {"email_backend": "poststack_django.backends.EmailBackend"}
# The link in a reset mail is as good as the password, and an outage keeps it in the outbox: let it be worthless soon.
PASSWORD_RESET_TIMEOUT = 60 * 60

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"short": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "filters": {"in_production": {"()": "django.utils.log.RequireDebugFalse"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "short"},
        "mail_admins": {
            "class": "django.utils.log.AdminEmailHandler",
            "level": "ERROR",
            "filters": ["in_production"],
            **reports_by,
        },
    },
    "loggers": {
        "django": {"handlers": ["console", "mail_admins"], "level": "ERROR"},
        "celery": {"handlers": ["console"], "level": "INFO"},
        "poststack": {"handlers": ["console"], "level": "INFO"},
    },
}
