"""Settings with names that nobody reads: Celery takes any name, and a misspelt one would be silently ignored."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import fields
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final
from weakref import WeakSet

from poststack_tasks.configuration import PREFIX, TaskSettings

__all__ = ["warn_of_unknown_settings"]

logger: logging.Logger = logging.getLogger("poststack.tasks")

_NAMES: Final = tuple(PREFIX + one.name for one in fields(TaskSettings))

_known: WeakSet[Any] = WeakSet()


def warn_of_unknown_settings(app: Any) -> None:
    """Log a warning for each setting of this application that has our prefix and is none, once in a process."""
    if app in _known:
        return
    _known.add(app)
    for written, name in _ours(app):
        if name not in _NAMES:
            close = get_close_matches(name, _NAMES, n=1)
            advice = f"Is it {close[0]}?" if close else f"There are {', '.join(_NAMES)}."
            logger.warning("Celery's setting %s is unknown, and has no effect. %s", written, advice)


def _ours(app: Any) -> Iterator[tuple[str, str]]:
    """Yield the settings with our prefix: as they are written, and without the namespace of the application."""
    app.conf.get(_NAMES[0])  # Until one is asked for, they are not loaded.
    conf = app.conf
    namespace: str = conf.prefix or ""
    for written in sorted({str(key) for key in conf}):
        name = written
        if namespace and written.startswith(namespace):
            name = written[len(namespace) :]
            name = name.lower() if namespace.isupper() else name
        if name.startswith(PREFIX):
            yield written, name


def _begin_worker(instance: Any, **_: Any) -> None:
    warn_of_unknown_settings(instance.app)


# At its start, after logging was set up. Whatever else runs tasks, or enqueues them, tells at the first one.
import_module("celery.signals").celeryd_after_setup.connect(
    _begin_worker, weak=False, dispatch_uid="poststack_tasks.warn_of_unknown_settings"
)
