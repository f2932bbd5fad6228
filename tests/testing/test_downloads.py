"""The emulator in memory gives files piece by piece to who asks for that, as other transports do."""

from __future__ import annotations

import anyio

from poststack.testing import emulator
from poststack.transports.base import HttpRequest
from tests.transports.test_sinks import Kept


def test_the_emulator_in_memory_fills_sinks_as_well() -> None:
    about = ("GET", "https://api.poststack.test/emails", {"Authorization": "Bearer sk_test_x"})
    with emulator() as emu:
        plain = emu.transport.send(HttpRequest(*about))
        sink, awaited, refused = Kept(), Kept(), Kept()

        answer = emu.transport.send(HttpRequest(*about, sink=sink))
        same = anyio.run(emu.transport.asend, HttpRequest(*about, sink=awaited))
        refusal = emu.transport.send(HttpRequest("GET", about[1], {}, sink=refused))

    assert plain.body
    assert (answer.status, answer.body, sink.content) == (200, b"", plain.body)
    assert (same.status, same.body, awaited.content) == (200, b"", plain.body)
    assert refusal.status == 401
    assert (bool(refusal.body), refused.content) == (True, b"")
