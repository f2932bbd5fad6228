"""Under gunicorn, with workers that are forked from a process whose client has connections already."""

from __future__ import annotations

import json
import os
import uuid
from collections import defaultdict
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from poststack.testing import webhook_call
from tests.servers import Visitor, serving
from tests.services import is_missing
from tests.with_flask.gunicorn import gunicorn
from tests.with_flask.gunicorn_application import connected

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="gunicorn forks"),
]

REQUESTS = 400
REDIS = os.environ.get("POSTSTACK_TEST_FLASK_REDIS", "redis://127.0.0.1:6379/13")


def echo(visitor: Visitor) -> None:
    """Accept each e-mail under an id that says its subject and the connection that it came on."""
    while (request := visitor.request()) is not None:
        subject = json.loads(request.body)["subject"]
        body = json.dumps({"id": f"em_{subject}_{visitor.number}"}).encode()
        visitor.send(b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def test_workers_forked_from_a_warm_process_share_no_connection() -> None:
    by_connection: dict[int, set[int]] = defaultdict(set)
    with serving(echo) as api:
        warm = {"TEST_WARM": "1", "POSTSTACK_API_KEY": "sk_test_x", "POSTSTACK_BASE_URL": api.url}
        options = ("--preload", "--workers", "3", "--threads", "4")
        with gunicorn(*options, **warm) as url, httpx.Client(base_url=url, timeout=60) as browser:

            def post(number: int) -> None:
                # Without keep-alive each request may go to any worker.
                answer = browser.post("/send", data={"subject": str(number)}, headers={"Connection": "close"})
                assert answer.status_code == 200, answer.text
                _, subject, connection = answer.json()["id"].split("_")
                assert subject == str(number)
                by_connection[int(connection)].add(answer.json()["pid"])

            with ThreadPoolExecutor(8) as pool:
                list(pool.map(post, range(REQUESTS)))

    assert all(len(workers) == 1 for workers in by_connection.values())
    assert len({worker for workers in by_connection.values() for worker in workers}) > 1
    assert 0 not in by_connection  # That of the process that was forked.
    subjects = sorted(json.loads(request.body)["subject"] for request in api.requests)
    assert subjects == sorted(["warm", *map(str, range(REQUESTS))])


@pytest.fixture
def prefix() -> Generator[str]:
    """What the names in Redis begin with that no other test uses."""
    redis = pytest.importorskip("redis")
    own = f"poststack-test:{uuid.uuid4().hex}:"
    with connected(REDIS) as server:
        try:
            server.ping()
        except redis.exceptions.ConnectionError:
            is_missing(f"No Redis at {REDIS}.")
        yield own
        for name in server.scan_iter(f"{own}*"):
            server.delete(name)


@pytest.mark.services
def test_workers_with_a_store_in_redis_handle_each_event_once(prefix: str) -> None:
    secret = "whsec_of_the_workers"
    environment = {"POSTSTACK_API_KEY": "sk_test_x", "POSTSTACK_WEBHOOK_SECRETS": secret}
    environment |= {"TEST_REDIS": REDIS, "TEST_PREFIX": prefix}
    calls = [webhook_call("email.bounced", secret=secret, event_id=f"evt_{number}") for number in range(20)]
    workers: set[str] = set()
    with gunicorn("--workers", "2", "--threads", "4", **environment) as url, httpx.Client(timeout=60) as postman:
        while len(workers) < 2:  # The second one may start later than the first.
            workers.add(postman.get(f"{url}/pid", headers={"Connection": "close"}).text)
        workers.clear()

        def post(number: int) -> int:
            call = calls[number % len(calls)]
            headers = {**call.headers, "Connection": "close"}
            answer = postman.post(f"{url}/webhooks/poststack", content=call.body, headers=headers)
            workers.add(answer.headers["X-Worker"])
            return answer.status_code

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(post, range(200)))
        last = [post(number) for number in range(len(calls))]

    # Those that came while a worker was at it are told to come again.
    assert set(answers) <= {200, 503}
    assert last == [200] * len(calls)
    with connected(REDIS) as server:
        handled = [entry.decode() for entry in server.lrange(f"{prefix}handled", 0, -1)]
    assert sorted(handled) == sorted(call.event_id for call in calls)
    assert len(workers) == 2
