"""Receivers of all signals, which write down what they hear, in whichever process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings


class ProjectConfig(AppConfig):
    name = "tests.with_django.queues.project"
    label = "project"

    def ready(self) -> None:
        from poststack_django.signals import post_send, pre_send, send_failed, tracking

        pre_send.connect(_hear_pre_send)
        post_send.connect(_hear_post_send)
        send_failed.connect(_hear_send_failed)
        tracking.connect(_hear_tracking)


def _hear_pre_send(message: Any, **_: Any) -> None:
    _note("pre_send", getattr(message, "idempotency_key", None))


def _hear_post_send(email: Any, status: Any, **_: Any) -> None:
    _note("post_send", email.idempotency_key, status.id)


def _hear_send_failed(email: Any, status: Any, **_: Any) -> None:
    _note("send_failed", email.idempotency_key, status.status)


def _hear_tracking(event: Any, email: Any, **_: Any) -> None:
    _note("tracking", email and email.idempotency_key, event.type)


def _note(*heard: str | None) -> None:
    with Path(str(settings.CHOSEN["heard"])).open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(heard)}\n")
