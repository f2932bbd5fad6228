"""Any e-mail either arrives whole, or raises and nothing is sent."""

from __future__ import annotations

import base64
from collections.abc import Generator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poststack.mailbridge import EmailMessageDto, InvalidMessageError, MailBridge
from tests.providers.contract import FAKES, arrived, mailer_for, told
from tests.providers.fakes.base import FakeProvider

SHOWN = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn", "Co"))
WORDS = st.text(SHOWN, min_size=1, max_size=12)
LINE = WORDS.map(str.strip).filter(bool)
NAME = st.one_of(st.just(""), LINE.map(lambda text: " ".join(text.split())).filter(bool))
MAILBOX = st.from_regex(r"[a-z][a-z0-9+_-]{0,8}", fullmatch=True)
ADDRESS = st.tuples(NAME, MAILBOX.map("{}@example.net".format))
ASCII_LINE = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)
IN_A_BODY = st.characters(codec="utf-8", exclude_characters="\r\0")
BODY = st.text(IN_A_BODY, min_size=1, max_size=60)
FILE = st.tuples(
    st.from_regex(r"[a-zé][a-z0-9 é_-]{0,8}[a-z]\.(txt|pdf)", fullmatch=True),
    st.binary(min_size=1, max_size=40),
    st.one_of(st.none(), st.from_regex(r"[a-z]{1,8}", fullmatch=True)),
)


@st.composite
def emails(draw: st.DrawFn) -> dict[str, Any]:
    """Return the arguments of an e-mail; each address comes once."""
    addresses = draw(st.lists(ADDRESS, min_size=1, max_size=6, unique_by=lambda pair: pair[1]))
    cut, end = sorted((draw(st.integers(1, len(addresses))), draw(st.integers(1, len(addresses)))))
    fields: dict[str, Any] = {
        "to": addresses[:cut],
        "cc": addresses[cut:end],
        "bcc": addresses[end:],
        "subject": draw(LINE),
        "body": draw(BODY),
        "html": draw(st.booleans()),
    }
    optional: dict[str, st.SearchStrategy[Any]] = {
        "text": BODY,
        "reply_to": st.lists(ADDRESS, min_size=1, max_size=2, unique_by=lambda pair: pair[1]),
        "headers": st.dictionaries(st.from_regex(r"X-[A-Z][a-z]{1,6}", fullmatch=True), ASCII_LINE, max_size=2),
        "tags": st.lists(ASCII_LINE, max_size=3, unique_by=str.lower),
        "metadata": st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), ASCII_LINE, max_size=2),
        "files": st.lists(FILE, max_size=2, unique_by=(lambda file: file[0], lambda file: file[2] or file[0])),
        "scheduled_at": st.integers(600, 7 * 86_400),
        "track_opens": st.booleans(),
        "track_clicks": st.booleans(),
    }
    for field, strategy in optional.items():
        if draw(st.integers(0, 2)) == 0:
            fields[field] = draw(strategy)
    return fields


@pytest.fixture(params=FAKES, scope="module")
def served(request: pytest.FixtureRequest) -> Generator[tuple[MailBridge, FakeProvider]]:
    with mailer_for(request.param, from_email="shop@example.org") as (mailer, fake):
        yield mailer, fake


@given(fields=emails())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whole_or_not_at_all(served: tuple[MailBridge, FakeProvider], fields: dict[str, Any]) -> None:
    mailer, fake = served
    fake.requests.clear()
    before = len(fake.delivered)
    files = fields.pop("files", [])
    fields["attachments"] = [
        {
            "filename": name,
            "content": base64.b64encode(content).decode(),
            "content_type": "text/plain" if name.endswith("txt") else "application/pdf",
            **({"content_id": content_id} if content_id else {}),
        }
        for name, content, content_id in files
    ]
    if "scheduled_at" in fields:
        now = datetime.now(timezone.utc).replace(microsecond=0)
        fields["scheduled_at"] = now + timedelta(seconds=fields["scheduled_at"])
    message = EmailMessageDto(**fields)
    try:
        mailer.send_message(message)
    except InvalidMessageError:
        assert fake.requests == []
        return
    (one,) = fake.delivered[before:]
    taken = sorted(
        (
            content_id if content_id and not fake.keeps_names_of_images else name,
            content,
            "text/plain" if name.endswith("txt") else "application/pdf",
            content_id,
        )
        for name, content, content_id in files
    )
    assert told(one, fields.get("headers") or ()) == arrived(message, taken)
