"""Kettle & Leaf: a small tea shop on Django that sends its mail through PostStack."""

from __future__ import annotations

from .celery import app as celery_app

__all__ = ["celery_app"]
