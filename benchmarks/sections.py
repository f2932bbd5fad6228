"""What is measured, in the order of the page."""

from __future__ import annotations

from typing import Final

from benchmarks import growth, many, one_by_one, rate_limit, starting
from benchmarks.in_bulk import report as in_bulk
from benchmarks.in_workers import report as in_workers
from benchmarks.section import Section
from benchmarks.under_load import report as under_load

__all__ = ["SECTIONS"]

SECTIONS: Final = (
    Section("one", "One e-mail a call", one_by_one.measure),
    Section("many", "Many e-mails", many.measure),
    Section("growth", "How cost grows", growth.measure),
    Section("limit", "Under a rate limit", rate_limit.measure),
    Section("start", "Import time and memory", starting.measure),
    Section("load", "FastAPI under load", under_load.measure),
    Section("workers", "Through a Celery worker", in_workers.measure),
    Section("bulk", "Many e-mails through MailBridge", in_bulk.measure),
)
