"""Where the keys that sign requests to Amazon SES come from, and what happens when they end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from datetime import datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import pytest

from poststack.mailbridge import AsyncMailBridge, ConfigurationError, EmailSendError, MailBridge
from tests.providers.fakes.ses import ACCESS_KEY, REGION, SECRET_KEY, FakeSes

# botocore has no types.
CREDENTIALS: Any = import_module("botocore.credentials")
MAIL = ("ada@example.net", "Hi", "<p>Hi</p>", "shop@example.org")


@pytest.fixture
def fake() -> Generator[FakeSes]:
    with FakeSes() as server:
        yield server


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No keys but those of a test, and no metadata service to wait for."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION",
                 "AWS_DEFAULT_REGION", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def bridge(fake: FakeSes, **settings: Any) -> MailBridge:
    given: dict[str, Any] = {"region_name": REGION, "endpoint": fake.url, "max_retries": 0, **settings}
    return MailBridge("ses", **given)


def in_minutes(minutes: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(minutes=minutes)


def new_keys(access_key: str, minutes: float = 60) -> dict[str, str]:
    return {
        "access_key": access_key, "secret_key": SECRET_KEY, "token": f"token-of-{access_key}",
        "expiry_time": in_minutes(minutes).isoformat(),
    }  # fmt: skip


def known(fake: FakeSes, *access_keys: str) -> None:
    fake.keys |= {access_key: (SECRET_KEY, f"token-of-{access_key}") for access_key in access_keys}


def temporary(refresh: Callable[[], Any], minutes: float, access_key: str = "AKID1") -> Any:
    return CREDENTIALS.RefreshableCredentials(
        access_key, SECRET_KEY, f"token-of-{access_key}", in_minutes(minutes), refresh, "test"
    )


def send_async(fake: FakeSes, count: int = 1, **settings: Any) -> list[Any]:
    """Send so many e-mails at the same time; return their responses."""

    async def main() -> list[Any]:
        given: dict[str, Any] = {"region_name": REGION, "endpoint": fake.url, "max_retries": 0, **settings}
        responses: list[Any] = []
        async with AsyncMailBridge("ses", **given) as mailer:

            async def send() -> None:
                responses.append(await mailer.send(*MAIL))

            async with anyio.create_task_group() as group:
                for _ in range(count):
                    group.start_soon(send)
        return responses

    return anyio.run(main)


def test_defect_36_a_session_token_travels_along_and_is_signed(fake: FakeSes) -> None:
    known(fake, "AKID1")
    keys = {"aws_access_key_id": "AKID1", "aws_secret_access_key": SECRET_KEY, "aws_session_token": "token-of-AKID1"}
    with bridge(fake, **keys) as mailer:
        assert mailer.send(*MAIL).success


def test_keys_come_from_the_environment(fake: FakeSes, monkeypatch: pytest.MonkeyPatch) -> None:
    known(fake, "AKID1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-AKID1")
    with bridge(fake) as mailer:
        assert mailer.send(*MAIL).success
    assert len(send_async(fake, 3)) == 3
    assert set(fake.seen_keys) == {"AKID1"}


def test_defect_36_keys_and_region_come_from_a_profile(fake: FakeSes, environment: Path) -> None:
    (environment / "credentials").write_text(
        f"[default]\naws_access_key_id = other\naws_secret_access_key = other\n"
        f"[mail]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    )
    (environment / "config").write_text(f"[profile mail]\nregion = {REGION}\n")
    with bridge(fake, profile_name="mail", region_name=None) as mailer:
        assert mailer.send(*MAIL).success
    assert fake.seen_keys == [ACCESS_KEY]


def test_a_profile_that_does_not_exist_is_a_wrong_setting(fake: FakeSes) -> None:
    with pytest.raises(ConfigurationError, match="no profile of that name"):
        bridge(fake, profile_name="nobody")


def test_a_configuration_that_cannot_be_read_is_a_wrong_setting(fake: FakeSes, environment: Path) -> None:
    (environment / "config").write_text("region without a section\n")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        bridge(fake, region_name=None)


@pytest.mark.parametrize("profile_region", [True, False])
def test_aws_region_is_minded_although_botocore_does_not(
    fake: FakeSes, monkeypatch: pytest.MonkeyPatch, environment: Path, profile_region: bool
) -> None:
    if profile_region:
        (environment / "config").write_text("[default]\nregion = us-west-2\n")
    monkeypatch.setenv("AWS_REGION", REGION)
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    with bridge(fake, region_name=None, **keys) as mailer:
        assert mailer.send(*MAIL).success  # Another region would have made another signature.


def test_without_any_keys_nothing_is_sent(fake: FakeSes) -> None:
    with bridge(fake) as mailer, pytest.raises(EmailSendError, match="no AWS credentials") as caught:
        mailer.send(*MAIL)
    assert (caught.value.kind, caught.value.may_have_been_sent) == ("auth", False)
    assert fake.requests == []


@pytest.mark.parametrize("keys", [(ACCESS_KEY, SECRET_KEY), (ACCESS_KEY, SECRET_KEY, None)])
def test_a_function_may_return_the_keys(fake: FakeSes, keys: Any) -> None:
    asked: list[str] = []

    def find() -> Any:
        asked.append(threading.current_thread().name)
        return keys

    with bridge(fake, credentials=find) as mailer:
        assert mailer.send(*MAIL).success
        assert mailer.send(*MAIL).success
    assert len(asked) == 1
    assert len(send_async(fake, 5, credentials=find)) == 5
    assert len(asked) == 2


def test_a_function_may_return_an_object_of_botocore(fake: FakeSes) -> None:
    with bridge(fake, credentials=lambda: CREDENTIALS.Credentials(ACCESS_KEY, SECRET_KEY)) as mailer:
        assert mailer.send(*MAIL).success


def test_a_function_may_have_to_be_awaited(fake: FakeSes) -> None:
    loops: list[int] = []

    async def find(pause: float = 0.0) -> tuple[str, str]:
        await anyio.sleep(pause)
        loops.append(threading.get_ident())
        return ACCESS_KEY, SECRET_KEY

    assert len(send_async(fake, 5, credentials=find)) == 5
    assert len(send_async(fake, 1, credentials=lambda: find(0.0))) == 1
    assert loops == [threading.get_ident()] * 2


def test_the_synchronous_client_cannot_await(fake: FakeSes) -> None:
    async def find() -> tuple[str, str]:
        return ACCESS_KEY, SECRET_KEY

    with bridge(fake, credentials=find) as mailer, pytest.raises(EmailSendError, match="AsyncMailBridge") as caught:
        mailer.send(*MAIL)
    assert caught.value.kind == "auth"


@pytest.mark.parametrize("keys", [(ACCESS_KEY,), (ACCESS_KEY, ""), (1, 2), "keys", ("a", "b", "c", "d"), object()])
def test_what_is_no_keys_is_said_without_showing_it(fake: FakeSes, keys: Any) -> None:
    with bridge(fake, credentials=lambda: keys) as mailer, pytest.raises(EmailSendError) as caught:
        mailer.send(*MAIL)
    assert caught.value.kind == "auth"
    assert ACCESS_KEY not in str(caught.value)


def test_keys_that_cannot_be_fetched_now_are_asked_for_again(fake: FakeSes) -> None:
    outcomes: list[Any] = [OSError("secret of somebody"), (ACCESS_KEY, SECRET_KEY)]

    def find() -> Any:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with bridge(fake, credentials=find) as mailer:
        with pytest.raises(EmailSendError, match=r"could not be fetched \(OSError\)") as caught:
            mailer.send(*MAIL)
        assert (caught.value.kind, "secret" in str(caught.value)) == ("unavailable", False)
        assert mailer.send(*MAIL).success


def test_only_the_refresh_of_keys_takes_a_thread_and_only_one(fake: FakeSes) -> None:
    known(fake, "AKID1", "AKID2")
    threads: list[int] = []

    def refresh() -> dict[str, str]:
        threads.append(threading.get_ident())
        return new_keys("AKID2")

    credentials = temporary(refresh, minutes=5)
    assert len(send_async(fake, 20, credentials=lambda: credentials)) == 20
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
    assert set(fake.seen_keys) == {"AKID2"}


def test_keys_that_are_good_for_long_take_no_thread(fake: FakeSes) -> None:
    known(fake, "AKID1")
    frozen_in: list[int] = []

    class Watched:
        """Notes which thread asks."""

        access_key, secret_key, token = "AKID1", SECRET_KEY, "token-of-AKID1"

        def refresh_needed(self, seconds: int | None = None) -> bool:
            return False

        def get_frozen_credentials(self) -> Any:
            frozen_in.append(threading.get_ident())
            return self

    watched = Watched()
    assert len(send_async(fake, 10, credentials=lambda: watched)) == 10
    # The first of them is found in a thread; from then on there is nothing to wait for.
    assert len(frozen_in) >= 10
    assert len([ident for ident in frozen_in if ident != threading.get_ident()]) == 1


def test_keys_that_are_not_fetched_yet_are_fetched_in_a_thread(fake: FakeSes) -> None:
    known(fake, "AKID2")
    threads: list[int] = []

    def refresh() -> dict[str, str]:
        threads.append(threading.get_ident())
        return new_keys("AKID2")

    deferred = CREDENTIALS.DeferredRefreshableCredentials(refresh, "test")
    assert len(send_async(fake, 3, credentials=lambda: deferred)) == 3
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def test_old_keys_serve_while_new_ones_are_not_to_be_had(fake: FakeSes) -> None:
    known(fake, "AKID1")
    refreshes: list[int] = []

    def refresh() -> dict[str, str]:
        refreshes.append(1)
        raise OSError("no metadata")

    # Good for 12 minutes: botocore would like new ones, and can do without.
    credentials = temporary(refresh, minutes=12)
    assert len(send_async(fake, 10, credentials=lambda: credentials)) == 10
    with bridge(fake, credentials=lambda: credentials) as mailer:
        assert all(mailer.send(*MAIL).success for _ in range(3))
    assert len(refreshes) == 2  # One each, not one for every e-mail.


def test_keys_near_their_end_are_not_used_when_there_are_no_others(fake: FakeSes) -> None:
    def refresh() -> dict[str, str]:
        raise OSError("no metadata")

    credentials = temporary(refresh, minutes=2)
    with bridge(fake, credentials=lambda: credentials) as mailer, pytest.raises(EmailSendError) as caught:
        mailer.send(*MAIL)
    assert caught.value.kind == "unavailable"
    assert fake.requests == []


def test_expired_keys_are_replaced_and_the_mail_is_sent_once_more(fake: FakeSes) -> None:
    known(fake, "AKID1", "AKID2")
    fake.expired = {"AKID1"}
    found = iter(["AKID1", "AKID2"])

    def find() -> tuple[str, str, str]:
        access_key = next(found)
        return access_key, SECRET_KEY, f"token-of-{access_key}"

    with bridge(fake, credentials=find) as mailer:
        assert mailer.send(*MAIL).success
        assert mailer.send(*MAIL).success
    assert fake.seen_keys == ["AKID1", "AKID2", "AKID2"]
    assert len(fake.delivered) == 2


def test_expired_keys_are_replaced_once_for_all(fake: FakeSes) -> None:
    known(fake, "AKID1", "AKID2")
    fake.expired = {"AKID1"}
    found = iter(["AKID1", "AKID2"])

    async def find() -> tuple[str, str, str]:
        access_key = next(found)
        return access_key, SECRET_KEY, f"token-of-{access_key}"

    assert len(send_async(fake, 10, credentials=find)) == 10
    assert fake.seen_keys.count("AKID2") == len(fake.delivered) == 10


def test_expired_keys_without_others_are_refused_once(fake: FakeSes) -> None:
    fake.expired = {ACCESS_KEY}
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    with bridge(fake, **keys, max_retries=3) as mailer, pytest.raises(EmailSendError) as caught:
        mailer.send(*MAIL)
    assert (caught.value.kind, caught.value.code) == ("auth", "ExpiredTokenException")
    assert len(fake.requests) == 1


def test_wrong_keys_are_refused(fake: FakeSes) -> None:
    for access_key, secret_key in ((ACCESS_KEY, "wrong"), ("unknown", SECRET_KEY)):
        keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
        with bridge(fake, **keys) as mailer, pytest.raises(EmailSendError) as caught:
            mailer.send(*MAIL)
        assert caught.value.kind == "auth"


def test_every_attempt_has_a_signature_of_its_own(fake: FakeSes) -> None:
    from tests.providers.fakes.base import answers

    fake.faults.append(answers(503))
    with bridge(fake, **fake.settings(), max_retries=1) as mailer:
        assert mailer.send(*MAIL).success
    assert len(fake.requests) == 2
    assert all(request.headers["authorization"] for request in fake.requests)


def test_one_mailer_serves_several_event_loops(fake: FakeSes) -> None:
    known(fake, "AKID1", "AKID2")
    credentials = temporary(lambda: new_keys("AKID2"), minutes=5)
    given: dict[str, Any] = {"region_name": REGION, "endpoint": fake.url, "credentials": lambda: credentials}
    mailer = AsyncMailBridge("ses", **given)

    async def send() -> bool:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(mailer.send, *MAIL)
        await mailer.close()
        return True

    assert [anyio.run(send, backend=backend) for backend in ("asyncio", "trio", "asyncio")] == [True] * 3
    assert len(fake.delivered) == 9


def test_a_transport_of_the_users_own_gets_signed_requests(fake: FakeSes) -> None:
    from poststack.transports.httpcore import HttpcoreTransport

    class Counting(HttpcoreTransport):
        """Counts what it sends."""

        sent = 0

        def send(self, request: Any) -> Any:
            self.sent += 1
            return super().send(request)

    transport = Counting()
    with MailBridge("ses", **fake.settings(), transport=transport) as mailer:
        assert mailer.send(*MAIL).success
    assert transport.sent == 1


def test_keys_are_in_no_repr(fake: FakeSes) -> None:
    from poststack.providers._aws import Keys

    with bridge(fake, **fake.settings()) as mailer:
        mailer.send(*MAIL)
        assert SECRET_KEY not in repr(mailer) + repr(vars(mailer.provider)) + repr(Keys(ACCESS_KEY, SECRET_KEY))
