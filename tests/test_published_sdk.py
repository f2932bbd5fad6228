"""What goes on the wire is what the published SDK sends: compared byte by byte with the SDK itself.

The SDK is installed from PyPI into a folder of its own, once, and run in its own interpreter. Without PyPI this file
is skipped, or fails where `POSTSTACK_REQUIRE_SERVICES=1` says that everything must be there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.every_call import CALLS
from tests.published import installed
from tests.servers import Received, answering, serving

PUBLISHED = "poststack==0.9.0"
# The form of the wire that both are compared in: older versions of httpx write JSON with spaces.
PINNED = [PUBLISHED, "httpx==0.28.1"]
PROGRAM = Path(__file__).with_name("published_calls.py")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

GROUPS = list(dict.fromkeys(call.method.split(".")[0] for call in CALLS))
# What the published SDK does not have.
OURS = {
    "broadcasts": {"iterate"},
    "contacts": {"iterate", "save_csv"},
    "domains": {"iterate_dmarc_reports"},
    "emails": {"iterate", "send_many", "wait_until"},
    "inbound_emails": {"iterate", "save_attachment"},
    "mailboxes": {"iterate", "iterate_aliases"},
    "notification_channels": {"iterate_deliveries"},
    "segments": {"iterate_members"},
    "signup_forms": {"iterate"},
    "subscription_topics": {"iterate_subscribers"},
    "suppressions": {"iterate"},
    "templates": {"iterate"},
    "webhooks": {"iterate_deliveries"},
}

# Ours is called in a program of its own, where every method of every group is.
pytestmark = pytest.mark.programs_measured


@pytest.fixture(scope="session")
def published(pytestconfig: pytest.Config) -> Path:
    """Return the interpreter that has the published SDK."""
    return installed(pytestconfig, "published-sdk", PINNED)


def recorded(python: str | Path, flavour: str, folder: Path) -> list[Received]:
    """Return what an interpreter's `poststack` sends for every call."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment.pop("PYTHONPATH", None)
    with serving(answering(ANSWER)) as server:
        # The SDK ends a prefix with slashes; both must strip them and keep the rest.
        command = [str(python), str(PROGRAM), f"{server.url}/prefix//", flavour]
        subprocess.run(command, check=True, env=environment, cwd=folder, timeout=120)
        return list(server.requests)


def surface(python: str | Path, folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Return each client's groups, their methods, and the methods' parameters."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), str(PROGRAM.with_name("published_surface.py"))]
    run = subprocess.run(command, check=True, capture_output=True, env=environment, cwd=folder, timeout=120)
    found: dict[str, dict[str, dict[str, Any]]] = json.loads(run.stdout)
    return found


def comparable(request: Received) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return a request without what must differ: port, SDK version, and the value of the key."""
    varying = {"Host": "127.0.0.1:port", "Idempotency-Key": "a key"}
    headers = [(name, varying.get(name, value)) for name, value in request.header_list]
    headers = [(name, value.split("/")[0] if name == "User-Agent" else value) for name, value in headers]
    return request.first_line, headers, request.body


@pytest.fixture(scope="session", params=["sync", "async"])
def both(
    request: pytest.FixtureRequest, published: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Received], list[Received]]:
    """Return what the published SDK sends for each call, and what this one does."""
    folder = tmp_path_factory.mktemp("elsewhere")
    theirs = recorded(published, request.param, folder)
    ours = recorded(sys.executable, request.param, folder)

    assert len(theirs) == len(ours) == len(CALLS)
    return theirs, ours


@pytest.mark.parametrize("group", GROUPS)
def test_calls_are_sent_as_the_published_sdk_sends_them(
    both: tuple[list[Received], list[Received]], group: str
) -> None:
    numbers = [number for number, call in enumerate(CALLS) if call.method.split(".")[0] == group]
    theirs, ours = ([(CALLS[number], comparable(requests[number])) for number in numbers] for requests in both)

    assert ours == theirs


def test_keys_look_alike_and_differ_between_calls(both: tuple[list[Received], list[Received]]) -> None:
    for requests in both:
        keys = [key for request in requests if (key := request.header("Idempotency-Key"))]

        assert len(set(keys)) == len(keys) > 10
        assert {(len(key), key[14]) for key in keys} == {(36, "4")}


@pytest.mark.parametrize("client", ["PostStack", "AsyncPostStack"])
def test_methods_and_their_parameters_are_those_of_the_published_sdk(
    published: Path, tmp_path: Path, client: str
) -> None:
    theirs, ours = surface(published, tmp_path)[client], surface(sys.executable, tmp_path)[client]

    assert sum(len(methods) for methods in theirs.values()) == 156
    assert {group: methods.keys() - theirs[group].keys() for group, methods in ours.items()} == {
        group: OURS.get(group, set[str]()) for group in theirs
    }
    for group, methods in theirs.items():
        assert {name: ours[group].get(name) for name in methods} == methods
