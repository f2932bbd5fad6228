"""The fixture that `pip install poststack` adds to pytest for FastAPI and Starlette applications.

pytest loads this in every project, also in those without Starlette, where `poststack_fastapi` refuses to be imported.
So it is here, and imports that package when the fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from poststack.testing import EmulatorSession

__all__ = ["fastapi_poststack", "fastapi_poststack_options"]


@pytest.fixture
def fastapi_poststack_options() -> dict[str, Any]:
    """Return the options of `emulated_poststack`. Have a fixture of this name to give some, such as `webhook`."""
    return {}


@pytest.fixture
def fastapi_poststack(
    request: pytest.FixtureRequest, fastapi_poststack_options: dict[str, Any]
) -> Generator[EmulatorSession]:
    """Put the emulator in memory behind the application that your fixture `app` returns.

    See `poststack_fastapi.testing.emulated_poststack`. What starts the application has to come after this fixture.
    """
    from poststack_fastapi.testing import emulated_poststack

    with emulated_poststack(request.getfixturevalue("app"), **fastapi_poststack_options) as session:
        yield session
