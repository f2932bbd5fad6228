"""What gunicorn serves in the tests: an application whose client has sent before gunicorn forks."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from poststack.receiving import RedisEventStore
from poststack_flask import FlaskPostStack, current_poststack

if TYPE_CHECKING:
    from poststack import WebhookEvent

poststack = FlaskPostStack()


def connected(url: str) -> Any:
    """Return a client of a Redis server."""
    import redis

    return redis.Redis.from_url(url)  # pyright: ignore[reportUnknownMemberType]  # its options are untyped


@poststack.on("email.bounced")
def count(event: WebhookEvent) -> None:
    """Note that the event is handled, slowly enough for repetitions to arrive meanwhile."""
    time.sleep(0.05)
    connected(os.environ["TEST_REDIS"]).rpush(f"{os.environ['TEST_PREFIX']}handled", event.id)


def create_app() -> Flask:
    app = Flask(__name__)
    if "TEST_REDIS" in os.environ:
        store = RedisEventStore(connected(os.environ["TEST_REDIS"]), prefix=os.environ["TEST_PREFIX"])
        app.config["POSTSTACK_EVENT_STORE"] = store
    poststack.init_app(app)

    @app.post("/send")
    def send() -> dict[str, object]:
        sent = current_poststack.emails.send(
            {"from": "a@example.com", "to": ["b@example.com"], "subject": request.form["subject"], "text": "x" * 5_000}
        )
        return {"id": sent["id"], "pid": os.getpid()}

    @app.after_request
    def name_worker(response: Response) -> Response:
        response.headers["X-Worker"] = str(os.getpid())
        return response

    @app.get("/pid")
    def pid() -> str:
        return str(os.getpid())

    if "TEST_WARM" in os.environ:
        with app.app_context():
            current_poststack.emails.send(
                {"from": "a@example.com", "to": ["b@example.com"], "subject": "warm", "text": "x"}
            )
    return app
