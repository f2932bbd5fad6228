"""What coverage watches: the processes of the tests, and the programs of those tests that ask for it.

On Pythons before 3.14, watching doubles the processor time of code and of starting a program. So nothing is watched of

* programs: most are killed, so that nothing would be known of them, or do what other tests do in process;
* tests that are `slow`: they wait for programs;
* tests whose examples Hypothesis makes up: which come is chance, and what is covered would be, too;
* tests that are `repetitive` or `unmeasured`: what they run, smaller tests run as well.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import pytest
from coverage import Coverage

__all__ = ["pytest_collection", "pytest_configure", "pytest_runtest_protocol", "pytest_sessionfinish"]

_TOLD_TO_PROGRAMS: Final[dict[str, str]] = {}
"""The variables by which coverage starts in programs, while there are none in the environment."""


def pytest_configure(config: pytest.Config) -> None:
    """Start programs without coverage; the workers of xdist, which are programs as well, are started with it."""
    if config.getoption("dist", "no") != "no":
        return
    _leave_programs_alone()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Watch the imports of one worker: those of the others are the same."""
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":
        return (yield)
    with _resting():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Heed what is said of the test, for its fixtures as well."""
    if item.get_closest_marker("programs_measured"):
        with pytest.MonkeyPatch.context() as environment:
            for name, value in _TOLD_TO_PROGRAMS.items():
                environment.setenv(name, value)
            return (yield)
    if _is_measured(item):
        return (yield)
    with _resting():
        return (yield)


def pytest_sessionfinish() -> None:
    """Write what was covered now: xdist gives its workers ten seconds to end, too few on a busy machine."""
    if measuring := Coverage.current():
        measuring.save()


def _is_measured(item: pytest.Item) -> bool:
    if any(item.get_closest_marker(name) for name in ("slow", "repetitive", "unmeasured")):
        return False
    return not getattr(getattr(item, "obj", None), "is_hypothesis_test", False)


def _leave_programs_alone() -> None:
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        _TOLD_TO_PROGRAMS[name] = os.environ.pop(name)


@contextmanager
def _resting() -> Generator[None]:
    measuring = Coverage.current()
    if measuring:
        measuring.stop()
    try:
        yield
    finally:
        if measuring:
            measuring.start()
            _leave_programs_alone()  # It has just told them again.
