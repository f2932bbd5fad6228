"""Clients that nobody closes."""

from __future__ import annotations

import subprocess
import sys

from tests.servers import answering, serving

PROGRAM = """
import gc
from poststack import PostStack
client = PostStack("sk_test_x", base_url={url!r})
client.emails.send({{"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}})
if {collected}:
    del client
    gc.collect()
"""


def stderr_of(url: str, *, collected: bool) -> str:
    program = PROGRAM.format(url=url, collected=collected)
    done = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, check=True)
    return done.stderr


def test_a_client_that_nobody_closes_ends_quietly() -> None:
    with serving(answering()) as server:
        assert stderr_of(server.url, collected=True) == ""
        assert stderr_of(server.url, collected=False) == ""
