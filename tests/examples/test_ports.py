"""The ports of demonstrations that run side by side."""

from __future__ import annotations

from example_projects.demo.programs import free_port, kept_port


def test_two_that_want_the_same_port_get_two() -> None:
    wanted = free_port()

    with kept_port(wanted) as first, kept_port(wanted) as second:
        assert first != second
