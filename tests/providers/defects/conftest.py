"""Each defect is looked for in both clients."""

from __future__ import annotations

import pytest

from tests.providers.defects.sending import Sender


@pytest.fixture(params=["threads", "asyncio"])
def sender(request: pytest.FixtureRequest) -> Sender:
    return Sender(request.param)
