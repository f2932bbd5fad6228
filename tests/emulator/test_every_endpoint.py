"""Each endpoint of the API is known: it is simulated, or says that it is not."""

from __future__ import annotations

from typing import Any

import pytest

from poststack import PostStackError
from poststack.testing import emulator
from tests.every_call import CALLS, Call

NAMES = sorted({call.method for call in CALLS})


@pytest.mark.parametrize("name", NAMES)
def test_every_call_of_a_method_is_understood(name: str) -> None:
    with emulator() as emu:
        client = emu.client(max_retries=0)
        for call in CALLS:
            if call.method == name:
                assert answered(client, call) not in {(404, "Route not found"), (405, ""), (500, "")}


def answered(client: Any, call: Call) -> tuple[int, str]:
    group, method = call.method.split(".")
    try:
        getattr(getattr(client, group), method)(*call.arguments, **call.options)
    except PostStackError as error:
        return error.status_code, error.error if error.status_code == 404 else ""
    return 200, ""
