"""Each endpoint of the API is known: it is simulated, or says that it is not; and few of them are for every key."""

from __future__ import annotations

from typing import Any

import pytest

from poststack import PostStack, PostStackError
from poststack.testing import EmulatorSession, emulator
from tests.every_call import CALLS, Call

NAMES = sorted({call.method for call in CALLS})
SENDING = {"emails.send", "emails.batch", "emails.get", "emails.get_events"}
# Whoever fills in a form on a website has no key.
PUBLIC = {"signup_forms.submit"}


@pytest.mark.parametrize("name", NAMES)
def test_every_call_of_a_method_is_understood(name: str) -> None:
    with emulator() as emu:
        client = emu.client(max_retries=0)
        for call in CALLS:
            if call.method == name:
                assert answered(client, call) not in {(404, "Route not found"), (405, ""), (500, "")}


@pytest.mark.parametrize("name", NAMES)
def test_a_sending_key_may_send_and_read_statuses_and_nothing_else(name: str) -> None:
    with emulator() as emu:
        client = sending_client(emu)
        statuses = {answered(client, call)[0] for call in CALLS if call.method == name}

    if name in SENDING | PUBLIC:
        assert 403 not in statuses
    else:
        assert statuses == {403}


def sending_client(emu: EmulatorSession) -> PostStack:
    key = emu.client().api_keys.create({"name": "worker", "permission": "sending_access", "mode": "test"})
    return emu.client(api_key=key["key"], max_retries=0)


def answered(client: Any, call: Call) -> tuple[int, str]:
    group, method = call.method.split(".")
    try:
        getattr(getattr(client, group), method)(*call.arguments, **call.options)
    except PostStackError as error:
        return error.status_code, error.error if error.status_code == 404 else ""
    return 200, ""
