"""The route that PostStack calls: what it takes, what it refuses, and that nothing is in its way."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tracemalloc
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from flask import Blueprint, Flask, request, url_for
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
from werkzeug.routing import Rule
from werkzeug.test import EnvironBuilder, run_wsgi_app

from poststack.events import SIGNATURE_HEADER, sign
from poststack.receiving import MemoryEventStore
from poststack.testing import webhook_call
from poststack_flask import FlaskPostStack
from poststack_flask.testing import emulator_session, post_webhook
from tests.with_flask.applications import EMAIL, SECRET, application, registered

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from poststack import WebhookEvent

PATH = "/webhooks/poststack"


class Heard(list[str]):
    """Collects the ids of the e-mails that events are about."""

    def __call__(self, event: WebhookEvent) -> None:
        self.append(str(event.email_id))


def listening(**config: Any) -> tuple[Flask, Heard]:
    extension, heard = FlaskPostStack(), Heard()
    extension.on("*")(heard)
    return registered(extension, **config), heard


def post(app: Flask, body: bytes, *, path: str = PATH, **headers: str) -> TestResponse:
    return app.test_client().post(path, data=body, headers={SIGNATURE_HEADER: sign(body, SECRET), **headers})


def post_in_chunks(app: Flask, body: bytes) -> int:
    """Post a body of unknown length, as servers that decode chunks hand it over."""
    builder = EnvironBuilder(path=PATH, method="POST", headers=[(SIGNATURE_HEADER, sign(body, SECRET))])
    environ = builder.get_environ()
    environ.update({"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True})
    environ.pop("CONTENT_LENGTH", None)
    return int(run_wsgi_app(app, environ)[1].split()[0])


def padded(size: int) -> bytes:
    """Return a sound event of so many bytes."""
    body = webhook_call("email.delivered", secret=SECRET, email_id="em_1").body
    return body[:-1] + b" " * (size - len(body)) + body[-1:]


def test_a_signed_event_reaches_the_handlers() -> None:
    app, heard = listening()

    answer = post_webhook(app, "email.bounced", email_id="em_1")

    assert (answer.status_code, answer.text, answer.mimetype) == (200, "ok", "text/plain")
    assert heard == ["em_1"]


def test_a_repeated_event_is_handled_once() -> None:
    app, heard = listening()

    answers = [post_webhook(app, email_id="em_1", event_id="evt_1").status_code for _ in range(3)]

    assert answers == [200, 200, 200]
    assert heard == ["em_1"]


def test_a_wrong_signature_is_refused_whoever_the_client_is() -> None:
    app, heard = listening()

    assert post_webhook(app.test_client(), bad_signature=True).status_code == 401
    assert app.test_client().post(PATH, json={"type": "email.bounced"}).status_code == 401
    assert heard == []


def test_an_old_event_is_refused_unless_every_age_is_taken() -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=timezone.utc)
    careful, heard = listening()
    careless, _ = listening(POSTSTACK_WEBHOOK_MAX_AGE=None)

    assert post_webhook(careful, timestamp=long_ago).status_code == 400
    assert post_webhook(careless, timestamp=long_ago).status_code == 200
    assert heard == []


def test_without_a_secret_there_is_no_route() -> None:
    app = application(TESTING=True)
    FlaskPostStack(app)

    assert app.test_client().post(PATH).status_code == 404
    with pytest.raises(RuntimeError, match="POSTSTACK_WEBHOOK_SECRETS"):
        post_webhook(app)


@pytest.mark.parametrize("where", ["argument", "setting"])
def test_without_a_path_there_is_no_route(where: str) -> None:
    extension = FlaskPostStack(webhook_path=None) if where == "argument" else FlaskPostStack()
    app = registered(extension, **({"POSTSTACK_WEBHOOK_PATH": None} if where == "setting" else {}))

    assert app.test_client().post(PATH).status_code == 404


def test_the_path_is_a_setting_and_the_route_has_a_name() -> None:
    app, heard = listening(POSTSTACK_WEBHOOK_PATH="/hooks")

    assert post_webhook(app, email_id="em_1").status_code == 200
    assert heard == ["em_1"]
    with app.test_request_context():
        assert url_for("poststack.webhook") == "/hooks"


def test_a_slash_at_the_end_makes_no_difference() -> None:
    app, _ = listening()

    assert post(app, padded(300), path=PATH + "/").status_code == 200


def test_probes_are_answered_and_browsers_are_not() -> None:
    app, _ = listening()
    client = app.test_client()

    assert client.head(PATH).status_code == 200
    assert client.options(PATH).status_code == 200
    assert client.get(PATH).status_code == 405


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff\xfe", b'{"type": 7}', b"[" * 100_000])
def test_a_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    app, heard = listening()

    assert post(app, body).status_code == 400
    assert heard == []


@pytest.mark.parametrize("send", [post, post_in_chunks])
def test_a_body_up_to_the_limit_is_taken_and_no_longer_one(send: Any) -> None:
    app, heard = listening()

    answers = [send(app, padded(size)) for size in (1_000_000, 1_000_001)]

    assert [getattr(answer, "status_code", answer) for answer in answers] == [200, 413]
    assert heard == ["em_1"]


def test_no_more_than_the_limit_is_read_of_a_body_without_end() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.given += len(buffer)
            buffer[:] = b"x" * len(buffer)
            return len(buffer)

    app, _ = listening()
    endless = Endless()
    environ = EnvironBuilder(path=PATH, method="POST").get_environ()
    environ.update({"wsgi.input": endless, "wsgi.input_terminated": True})
    environ.pop("CONTENT_LENGTH", None)

    assert run_wsgi_app(app, environ)[1].startswith("413 ")
    assert endless.given <= 1_000_001


def test_a_body_that_says_it_is_too_long_costs_no_memory() -> None:
    extension = FlaskPostStack(webhook_path=None)
    app = registered(extension)
    app.register_blueprint(extension.webhook_blueprint(max_bytes=50_000_000))
    environ = EnvironBuilder(path=PATH, method="POST").get_environ()
    environ["CONTENT_LENGTH"] = "50000001"

    tracemalloc.start()
    try:
        status = run_wsgi_app(app, environ)[1]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert status.startswith("413 ")
    assert most < 10_000_000


@pytest.mark.parametrize("send", [post, post_in_chunks])
def test_the_limit_of_the_application_applies_as_well(send: Any) -> None:
    app, heard = listening(MAX_CONTENT_LENGTH=1_000)

    answers = [send(app, padded(size)) for size in (900, 1_100)]

    assert [getattr(answer, "status_code", answer) for answer in answers] == [200, 413]
    assert heard == ["em_1"]


def test_the_limit_of_the_request_applies_as_well() -> None:
    app, heard = listening()

    @app.before_request
    def allow_little() -> None:
        try:
            request.max_content_length = 1_000
        except AttributeError:
            pytest.skip("Came with Flask 3.1.")

    assert post(app, padded(900)).status_code == 200
    assert post(app, padded(1_100)).status_code == 413
    assert heard == ["em_1"]


@pytest.mark.parametrize("send", [post, post_in_chunks])
@pytest.mark.parametrize("reader", ["get_data", "get_json", "form"])
def test_an_application_that_looks_at_bodies_first_does_no_harm(send: Any, reader: str) -> None:
    app, heard = listening()

    @app.before_request
    def look() -> None:
        if reader == "form":
            assert not request.form
        elif reader == "get_json":
            request.get_json(force=True)
        else:
            request.get_data()

    answer = send(app, padded(300))

    assert getattr(answer, "status_code", answer) == 200
    assert heard == ["em_1"]


def test_a_form_is_not_parsed_before_its_signature_is_checked() -> None:
    app, _ = listening()
    client = app.test_client()

    answer = client.post(PATH, data=b"a=1&" * 100_000, content_type="application/x-www-form-urlencoded")

    assert answer.status_code == 401


@pytest.mark.parametrize("order", ["before", "after"])
def test_csrf_protection_stays_out_of_the_way(order: str) -> None:
    extension, heard, protection = FlaskPostStack(), Heard(), CSRFProtect()
    extension.on("*")(heard)
    app = application(SECRET_KEY="x", POSTSTACK_WEBHOOK_SECRETS=SECRET, POSTSTACK_API_KEY="sk_test_x")
    app.add_url_rule("/mine", view_func=lambda: "ok", methods=["POST"])
    extensions: list[Any] = [protection, extension]
    for one in extensions if order == "before" else reversed(extensions):
        one.init_app(app)

    assert post_webhook(app, email_id="em_1").status_code == 200
    assert app.test_client().post("/mine").status_code == 400
    assert post_webhook(app, bad_signature=True).status_code == 401
    assert heard == ["em_1"]


def test_flask_wtf_is_not_needed() -> None:
    program = f"""
import sys
sys.modules["flask_wtf"] = None
from tests.with_flask.applications import registered
from poststack_flask.testing import post_webhook
print(post_webhook(registered()).status_code, {SECRET!r} and "wtforms" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.stdout.split() == ["200", "False"], done.stderr


def test_several_webhooks_have_secrets_of_their_own() -> None:
    extension, heard = FlaskPostStack(), Heard()
    extension.on("*")(heard)
    app = registered(extension)
    for name in ("shop", "forum"):
        blueprint = extension.webhook_blueprint(path=f"/hooks/{name}", name=name, secrets=[f"secret of the {name}"])
        app.register_blueprint(blueprint)

    assert post_webhook(app, path="/hooks/shop", email_id="em_shop").status_code == 200
    assert post_webhook(app, path="/hooks/forum", secret="secret of the forum", email_id="em_f").status_code == 200
    assert post_webhook(app, path="/hooks/forum", secret="secret of the shop").status_code == 401
    assert post_webhook(app, path="/hooks/forum", secret=SECRET).status_code == 401
    assert post_webhook(app, email_id="em_default").status_code == 200
    assert heard == ["em_shop", "em_f", "em_default"]


def test_a_blueprint_may_be_mounted_by_hand_below_a_prefix_and_in_another() -> None:
    extension, heard = FlaskPostStack(webhook_path=None), Heard()
    extension.on("*")(heard)
    parent = Blueprint("api", __name__, url_prefix="/api")
    parent.register_blueprint(extension.webhook_blueprint(path="/post"))
    app = application(SECRET_KEY="x", POSTSTACK_API_KEY="sk_test_x", POSTSTACK_WEBHOOK_SECRETS=SECRET)
    app.register_blueprint(parent)
    CSRFProtect(app)
    extension.init_app(app)

    assert post_webhook(app, email_id="em_1").status_code == 200
    assert heard == ["em_1"]


def test_values_in_the_address_do_no_harm() -> None:
    extension = FlaskPostStack()
    heard: list[str] = []

    @extension.on("*")
    def hear(event: WebhookEvent) -> None:
        heard.append(f"{event.email_id} at {request.path}")

    app = registered(extension, POSTSTACK_WEBHOOK_PATH="/<shop>/hook")

    assert post_webhook(app, path="/tea/hook", secret=SECRET, email_id="em_1").status_code == 200
    assert heard == ["em_1 at /tea/hook"]


def test_an_application_that_matches_hosts_is_reached_at_each() -> None:
    app = Flask(__name__, host_matching=True, static_host="static.example.com")
    app.config.from_mapping(TESTING=True, POSTSTACK_WEBHOOK_SECRETS=SECRET)
    extension, heard = FlaskPostStack(app), Heard()
    extension.on("*")(heard)

    assert post_webhook(app, email_id="em_1").status_code == 200
    assert post(app, padded(500), Host="shop.example.com:8080").status_code == 200
    assert heard == ["em_1", "em_1"]


def test_a_blueprint_below_a_subdomain_is_found_by_tests_and_by_the_emulator() -> None:
    extension, heard = FlaskPostStack(webhook_path=None), Heard()
    extension.on("email.bounced")(heard)
    app = Flask(__name__, subdomain_matching=True)
    app.config.from_mapping(TESTING=True, POSTSTACK_WEBHOOK_SECRETS=SECRET, SERVER_NAME="example.com")
    extension.init_app(app)
    app.register_blueprint(extension.webhook_blueprint(), subdomain="hooks")
    emulated = emulator_session(app)
    sent = app.extensions["poststack"].emails.send(EMAIL)
    emulated.simulate(sent["id"], "bounced")

    assert post_webhook(app, "email.bounced", email_id="em_1").status_code == 200
    assert heard == [sent["id"], "em_1"]


def test_rules_without_a_view_are_no_webhook() -> None:
    app = application(TESTING=True, POSTSTACK_WEBHOOK_SECRETS=SECRET)
    app.url_map.add(Rule("/later", endpoint="later"))
    FlaskPostStack(app)

    assert post_webhook(app).status_code == 200


def test_the_emulator_calls_an_application_of_any_name() -> None:
    app = Flask("Kettle & Leaf")
    app.config.from_mapping(TESTING=True, POSTSTACK_WEBHOOK_SECRETS=SECRET)
    extension, heard = FlaskPostStack(app), Heard()
    extension.on("email.bounced")(heard)
    sent = app.extensions["poststack"].emails.send(EMAIL)
    emulator_session(app).simulate(sent["id"], "bounced")

    assert heard == [sent["id"]]


def test_a_blueprint_takes_options() -> None:
    extension = FlaskPostStack(webhook_path=None)
    app = registered(extension)
    blueprint = extension.webhook_blueprint(max_bytes=1_000, max_age=float("inf"))
    app.register_blueprint(blueprint)

    assert post_webhook(app, timestamp=datetime(2020, 1, 1, tzinfo=timezone.utc)).status_code == 200
    assert post(app, padded(1_001)).status_code == 413


def test_a_blueprint_may_have_a_store_of_its_own() -> None:
    extension, heard, store = FlaskPostStack(), Heard(), MemoryEventStore()
    extension.on("*")(heard)
    app = registered(extension)
    app.register_blueprint(extension.webhook_blueprint(path="/shared", name="shared"))
    app.register_blueprint(extension.webhook_blueprint(path="/own", name="own", store=store))

    for path in (PATH, "/shared", "/own"):
        post_webhook(app, path=path, email_id=path, event_id="evt_1")

    assert heard == [PATH, "/own"]


def test_a_second_blueprint_needs_a_name() -> None:
    extension = FlaskPostStack()
    app = registered(extension)

    with pytest.raises(ValueError, match="name"):
        app.register_blueprint(extension.webhook_blueprint(path="/other"))


def test_empty_secrets_of_ones_own_are_refused() -> None:
    with pytest.raises(ValueError, match="POSTSTACK_WEBHOOK_SECRETS"):
        FlaskPostStack().webhook_blueprint(secrets="")


def test_a_webhook_without_a_secret_trusts_nobody() -> None:
    extension = FlaskPostStack()
    app = application(TESTING=True)
    extension.init_app(app)
    app.register_blueprint(extension.webhook_blueprint(path="/hook"))

    assert post_webhook(app, path="/hook", secret="guessed").status_code == 403


def test_a_webhook_of_an_application_that_is_not_registered_says_so() -> None:
    app = application(TESTING=True)
    app.register_blueprint(FlaskPostStack().webhook_blueprint())

    with pytest.raises(RuntimeError, match="init_app"):
        app.test_client().post(PATH, data=json.dumps({}))


def test_a_secret_being_rotated_leaves_both_in_use() -> None:
    app, _ = listening(POSTSTACK_WEBHOOK_SECRETS="new, old")

    assert [post_webhook(app, secret=secret).status_code for secret in ("new", "old", "other")] == [200, 200, 401]


def test_the_emulators_events_reach_the_application() -> None:
    app, heard = listening()
    emulated = emulator_session(app)
    sent = app.extensions["poststack"].emails.send(EMAIL)

    emulator_session(app).clock.advance(60)

    assert emulated.sent[0].status == "delivered"
    assert heard == [sent["id"]] * 3  # queued, sent, delivered
