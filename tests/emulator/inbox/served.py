"""The emulator behind a real server on a free port, in a thread of this process."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any

import httpx
import uvicorn

from poststack.emulator.core import Emulator
from poststack.emulator.server import create_app
from poststack.emulator.serving import listen
from poststack.emulator.settings import Settings

__all__ = ["Served"]


class Served:
    """A running emulator. Fates are played at once unless the settings say otherwise."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.emulator = Emulator(settings or Settings(delivery_delay=0.0))
        self._listener = listen("127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        config = uvicorn.Config(
            create_app(self.emulator), log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})

    def __enter__(self) -> Served:
        self._thread.start()
        self.until(lambda: self._server.started)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self._listener.close()

    def send(self, **changes: object) -> str:
        """Send an e-mail as an application does, and return its id."""
        usual = {"from": "Shop <shop@example.com>", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}
        payload = {name: value for name, value in {**usual, **changes}.items() if value is not None}
        answer = httpx.post(f"{self.address}/emails", json=payload, headers={"Authorization": "Bearer sk_test_served"})
        assert answer.status_code == 202, answer.text
        email_id: str = answer.json()["id"]
        return email_id

    def settled(self) -> int:
        """Wait until nothing is planned for now, and return the revision."""
        self.until(lambda: self.emulator.next_due() is None)
        return self.emulator.store.revision

    @staticmethod
    def until(condition: Any, seconds: float = 20) -> None:
        """Look again and again until it holds; fail when it does not for so long."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "It did not happen in time."
            time.sleep(0.01)
