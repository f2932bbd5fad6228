"""The emulator over HTTP: the only tests that open a port. Every server is a program of its own."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from poststack import PostStack, PostStackConnectionError
from poststack.emulator.serving import listen
from poststack.events import SIGNATURE_HEADER, verify
from poststack.types import SendEmail
from tests.patience import PATIENCE

EMAIL: SendEmail = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}


@dataclass
class Server:
    process: subprocess.Popen[str]
    url: str
    output: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        assert self.process.stdout is not None
        self.process.stdout.read()
        return self.process.wait(20)

    def get(self, path: str) -> Any:
        return httpx.get(self.url + path, headers={"Authorization": "Bearer sk_test_x"}).json()

    def post(self, path: str, content: object = None) -> Any:
        return httpx.post(self.url + path, json=content, headers={"Authorization": "Bearer sk_test_x"}).json()

    def client(self, max_retries: int = 0) -> PostStack:
        return PostStack("sk_test_x", self.url, max_retries=max_retries)


@contextmanager
def running(*options: str) -> Generator[Server]:
    command = [sys.executable, "-m", "poststack.cli", "emulator", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        output = ""
        try:
            while "Ctrl-C" not in output:
                line = process.stdout.readline()
                assert line, f"ended early: {output}"
                output += line
            found = re.search(r"http://[\w.:\[\]]+:\d+", output)
            assert found is not None
            yield Server(process, found[0], output)
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    with running() as started:
        yield started


@pytest.fixture(autouse=True)
def _starts_empty(request: pytest.FixtureRequest) -> None:
    if "server" in request.fixturenames:
        started: Server = request.getfixturevalue("server")
        started.post("/_emulator/reset")


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what another process does; the limit is only there to end a failing test."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


class Endpoint(ThreadingHTTPServer):
    """A webhook endpoint that remembers what it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), EndpointHandler)
        self.calls: list[tuple[bytes, dict[str, str]]] = []
        self.statuses: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class EndpointHandler(BaseHTTPRequestHandler):
    @property
    def endpoint(self) -> Endpoint:
        return cast("Endpoint", self.server)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.endpoint.calls.append((body, dict(self.headers.items())))
        self.send_response(self.endpoint.statuses.pop(0) if self.endpoint.statuses else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Set-Cookie", "session=1; Path=/")
        self.end_headers()
        self.wfile.write(b"x" * 100_000)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Generator[Endpoint]:
    with Endpoint() as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield listening
        finally:
            listening.shutdown()
            thread.join()


def test_a_client_sends_and_the_email_is_delivered(server: Server) -> None:
    with server.client() as client:
        sent = client.emails.send(EMAIL)

        eventually(lambda: client.emails.get(sent["id"])["email"]["status"] == "delivered")


def test_ids_in_paths_are_decoded_once(server: Server) -> None:
    with server.client() as client:
        client.suppressions.add({"email": "a+b@example.com", "reason": "manual"})

        assert client.suppressions.remove("a+b@example.com")["success"]


def test_a_webhook_is_delivered_signed_and_retried(server: Server, endpoint: Endpoint) -> None:
    endpoint.statuses = [307, 200]
    made = server.post("/webhooks", {"url": endpoint.url, "events": ["email.delivered"]})
    server.post("/emails", EMAIL)
    eventually(lambda: len(endpoint.calls) == 1)
    eventually(lambda: server.get("/webhooks")["webhooks"][0]["consecutiveFailures"] == 1)
    server.post("/_emulator/clock", {"advance": 15})
    eventually(lambda: len(endpoint.calls) == 2)
    number = made["webhook"]["id"]
    eventually(lambda: server.get(f"/webhooks/{number}/deliveries")["deliveries"][0]["deliveredAt"] is not None)
    [delivery] = server.get(f"/webhooks/{number}/deliveries")["deliveries"]
    (body, headers), (again, _) = endpoint.calls

    assert body == again
    assert verify(body, headers[SIGNATURE_HEADER], made["signingSecret"])
    assert headers["Content-Type"] == "application/json"
    assert headers["Accept-Encoding"] == "identity"  # or the answer that is kept would be compressed
    assert not [name for _, given in endpoint.calls for name in given if name == "Cookie"]
    assert (delivery["attempts"], delivery["statusCode"]) == (2, 200)
    assert delivery["responseBody"] == "x" * 2_000


@pytest.mark.parametrize(("status", "success"), [(200, True), (500, False)])
def test_a_test_of_a_channel_waits_for_what_is_answered(
    server: Server, endpoint: Endpoint, status: int, success: bool
) -> None:
    endpoint.statuses = [status]
    channel = {"type": "slack", "name": "Ops", "events": ["*"], "config": {"webhookUrl": endpoint.url}}
    made = server.post("/notification-channels", channel)["channel"]
    answer = server.post(f"/notification-channels/{made['publicId']}/test")

    assert (answer["success"], answer["statusCode"], answer["responseBody"]) == (success, status, "x" * 2_000)
    assert json.loads(endpoint.calls[0][0]) == {"text": "A test of this channel from PostStack."}


def test_an_endpoint_that_is_not_there_is_tried_again_later(server: Server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        number = server.post("/webhooks", {"url": url, "events": ["email.sent"]})["webhook"]["id"]
        server.post("/emails", EMAIL)
        eventually(lambda: server.get("/webhooks")["webhooks"][0]["consecutiveFailures"] == 1)
        [delivery] = server.get(f"/webhooks/{number}/deliveries")["deliveries"]

    assert (delivery["statusCode"], delivery["attempts"]) == (None, 1)
    assert delivery["nextRetryAt"] is not None


@pytest.mark.parametrize(("fault", "accepted"), [("reset", 0), ("lost_answer", 1)])
def test_a_dropped_connection_is_a_disconnect_not_an_answer(server: Server, fault: str, accepted: int) -> None:
    server.post("/_emulator/faults", {fault: True, "times": 1, "path": "/emails"})
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", "/emails", json.dumps(EMAIL), {"Authorization": "Bearer sk_test_x"})

    with pytest.raises(ConnectionError):
        connection.getresponse()
    connection.close()
    assert server.get("/_emulator/health")["emails"] == accepted


def test_a_lost_answer_does_not_double_the_email(server: Server) -> None:
    server.post("/_emulator/faults", {"lost_answer": True, "times": 1})
    with server.client() as client, pytest.raises(PostStackConnectionError):
        client.emails.send(EMAIL)
    server.post("/_emulator/faults", {"lost_answer": True, "times": 1})
    with server.client(max_retries=1) as client:
        sent = client.emails.send(EMAIL)

    assert sent.get("replayed") is True
    assert server.get("/_emulator/health")["emails"] == 2


def test_a_late_answer_is_late_by_the_clock_of_the_client(server: Server) -> None:
    server.post("/_emulator/faults", {"delay": 0.2, "times": 1, "path": "/emails"})
    started = time.monotonic()
    server.get("/emails")

    assert time.monotonic() - started >= 0.2


def test_waiting_for_the_newest_email_ends_when_it_comes(server: Server) -> None:
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(server.get("/_emulator/emails/latest?to=b@&wait=30")))
    waiting.start()
    sent = server.post("/emails", EMAIL)
    waiting.join(30)

    assert found[0]["email"]["publicId"] == sent["id"]
    assert server.get("/_emulator/emails/latest?subject=other&wait=0.05")["code"] == "not_found"
    assert server.get("/_emulator/emails/latest?subject=other&wait=x")["code"] == "not_found"


def test_foreign_names_and_pages_are_refused(server: Server) -> None:
    host = httpx.get(server.url + "/_emulator/emails", headers={"Host": "evil.example"})
    page = httpx.post(server.url + "/_emulator/reset", headers={"Origin": "http://evil.example"})

    for refused in (host, page):
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert refused.headers["x-request-id"]
    assert "--allow-host" in host.json()["error"]


def exchange(server: Server, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
        return answer


def test_a_body_above_the_limit_is_answered_before_it_is_sent(server: Server) -> None:
    head = b"POST /emails HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head + b"Content-Length: 9999999999\r\n\r\n" + b" " * 1_000)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(65_536)
    too_large = httpx.post(server.url + "/emails", content=b" " * (41 * 2**20))

    assert (too_large.status_code, too_large.json()["code"]) == (413, "payload_too_large")
    assert server.get("/_emulator/health")["status"] == "ok"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\xff\r\n\r\n",
        b"POST /emails HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /emails HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /%ff%00/..;/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /emails HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\r\n",
        b"GET /emails HTTP/1.1\r\nHost: localhost\r\nAuthorization: \xff\xfe\r\nConnection: close\r\n\r\n",
    ],
)
def test_broken_requests_end_in_an_error_and_nothing_else(server: Server, request_: bytes) -> None:
    assert re.match(rb"HTTP/1\.1 4\d\d ", exchange(server, request_))
    assert server.get("/_emulator/health")["status"] == "ok"


def test_a_client_that_hangs_up_in_the_middle_changes_nothing(server: Server) -> None:
    body = json.dumps(EMAIL).encode()
    head = f"POST /emails HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk_test_x\r\nContent-Length: {len(body)}"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + b"\r\n\r\n" + body[:-1])

    assert server.get("/_emulator/health")["emails"] == 0


def test_everything_survives_a_killed_process(tmp_path: Path, endpoint: Endpoint) -> None:
    endpoint.statuses = [503]
    options = ("--data", str(tmp_path / "mail.sqlite"), "--webhook", endpoint.url, "--webhook-secret", "s3cret")
    with running(*options) as first:
        with first.client() as client:
            sent = client.emails.send({**EMAIL, "idempotency_key": "order-1", "to": ["fail@example.com"]})
            later = client.emails.send({**EMAIL, "scheduled_at": "2100-01-01T00:00:00Z"})
        eventually(lambda: first.get("/webhooks")["webhooks"][0]["consecutiveFailures"] > 0 or len(endpoint.calls) > 3)
        calls = len(endpoint.calls)
        assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    with running(*options) as second:
        with second.client() as client:
            again = client.emails.send({**EMAIL, "idempotency_key": "order-1", "to": ["fail@example.com"]})
            waiting = client.emails.get(later["id"])["email"]
        second.post("/_emulator/clock", {"advance": 60})
        eventually(lambda: len(endpoint.calls) > calls)
        eventually(lambda: second.get(f"/emails/{sent['id']}")["email"]["status"] == "failed")
        types = {json.loads(body)["type"] for body, _ in endpoint.calls}

        assert again == {"id": sent["id"], "replayed": True, "test_mode": True}
        assert waiting["status"] == "queued"
        eventually(lambda: {json.loads(body)["type"] for body, _ in endpoint.calls} >= types)
        assert all(verify(body, headers[SIGNATURE_HEADER], "s3cret") for body, headers in endpoint.calls)
        assert "s3cret" not in second.output
        assert second.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(number: int) -> None:
    with running("--webhook", "http://127.0.0.1:9/") as started:
        secret = re.search(r"whsec_\w+", started.output)

        assert secret is not None
        assert f"export POSTSTACK_BASE_URL={started.url}" in started.output
        assert started.stop(number) == 0


def test_given_keys_and_names_hold() -> None:
    with running("--api-key", "sk_test_mine", "--allow-host", "mail.test") as started:
        refused = httpx.get(started.url + "/emails", headers={"Authorization": "Bearer sk_test_x"})
        accepted = httpx.get(
            started.url + "/emails", headers={"Authorization": "Bearer sk_test_mine", "Host": "mail.test"}
        )

        assert (refused.status_code, accepted.status_code) == (401, 200)
        assert "sk_test_mine" not in started.output


def test_requests_above_the_rate_limit_are_refused() -> None:
    answers: list[httpx.Response] = []

    def refused() -> bool:
        answers.append(httpx.get(f"{limited.url}/emails", headers={"Authorization": "Bearer sk_test_x"}))
        return answers[-1].status_code == 429

    with running("--rate-limit", "1") as limited:
        eventually(refused)  # The first is answered; how many more are depends on when a second ends.

    assert answers[0].status_code == 200
    assert answers[-1].headers["X-RateLimit-Limit"] == "1"
    assert answers[-1].headers["Retry-After"] == "1"


def test_listening_for_others_is_said_aloud() -> None:
    with running("--host", "0.0.0.0") as started:
        assert "WARNING" in started.output
        assert started.url.startswith("http://127.0.0.1:")


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "poststack.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})


def test_the_body_of_an_answer_does_not_wait_until_its_headers_are_acknowledged() -> None:
    async def main() -> bool:
        loop = asyncio.get_running_loop()
        undelayed: asyncio.Future[bool] = loop.create_future()

        class Accepting(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                connection = transport.get_extra_info("socket")
                undelayed.set_result(bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
                transport.close()

        listener = listen("127.0.0.1", 0)
        address = listener.getsockname()
        async with await loop.create_server(Accepting, sock=listener):
            _, writer = await asyncio.open_connection(*address)
            writer.close()
            return await undelayed

    assert asyncio.run(main())


def test_a_port_in_use_is_one_line(server: Server) -> None:
    done = cli("emulator", "--port", str(server.port))

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "--port" in done.stderr


def test_a_data_file_in_use_is_one_line(tmp_path: Path) -> None:
    file = str(tmp_path / "mail.sqlite")
    with running("--data", file):
        done = cli("emulator", "--port", "0", "--data", file)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "another emulator" in done.stderr
