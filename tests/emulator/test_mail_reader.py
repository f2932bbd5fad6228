"""Mail as bytes: what is read of it, and that no bytes are too bad."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poststack.emulator.api.answers import RefusalError
from poststack.emulator.model import Address
from poststack.emulator.receiving.mail_reader import ReadMail, read_mail

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LINES = (
    st.sampled_from(
        rb"""
From: a@b.c
To: =?utf-8?b?!!!?= <x@y
Subject: =?x?q?=00=0A?=
Reply-To: (((("
Cc: group: a@b, c@d;, <e@f>
Message-ID: <<>>
Content-Type: multipart/mixed; boundary=b
Content-Type: multipart/digest; boundary=
Content-Type: text/html; charset*=utf-7''x
Content-Type: message/rfc822
Content-Transfer-Encoding: base64
Content-Transfer-Encoding: x-uuencode
Content-Transfer-Encoding: quoted-printable
Content-Disposition: attachment; filename*0*=utf-8''%ff; filename*9=x
Content-Disposition: inline; filename="=?utf-8?q?=F0=9F?="
begin 644 x
=zz
--b
--b--
--
 folded
no colon
+AAA-

""".split(b"\n")
    )
    | st.sampled_from([b"\xf0\x9f: \x80", b"\0", b"\x1b$B", b"Content-Type: a/b; charset=\xff", b"Content-ID: <\xff>"])
    | st.binary(max_size=30)
)


def mail(*parts: bytes) -> ReadMail:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return read_mail(b"From: a@b.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + body + b"--b--")


def header(value: bytes) -> str:
    return read_mail(b"X-H: " + value + b"\r\n\r\n").message.headers["x-h"]


@QUICK
@given(st.lists(LINES, max_size=40), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_lines_are_read(lines: list[bytes], end: bytes) -> None:
    message, files = read_mail(end.join(lines))
    texts = [message.subject or "", message.message_id or "", *message.headers, *message.headers.values()]
    texts += [text for address in (message.from_, *message.to, *message.cc) for text in (address.address, str(address))]
    texts += [text for file in files for text in (file.filename, file.content_type, file.content_id or "")]
    for text in texts:
        assert not set(text) & set("\r\n\0\u2028")
    for text in (*texts, message.text or "", message.html or ""):
        text.encode()
    assert all(file.filename for file in files)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"=?utf-8?b?w6Q=?=\r\n =?utf-8?b?w7Y=?= end", "äö end"),
        (b"=?utf-8?b?w?= x", "=?utf-8?b?w?= x"),
        (b"=?klingon?q?=E4?=", "ä"),
        (b"=?utf-8?q?a=0D=0AX-Evil:_1?=", "a X-Evil: 1"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("latin-1"), "Grüße"),
        (b"long\r\n folded\r\n\tline", "long folded\tline"),
        (b"=?punycode?q?abc?=", "abc"),
        (b"=?utf-8?q?split=C3?= =?utf-8?q?=BC?=", "splitü"),
        (b"\\u0041 =?utf-8?q?x?=", "\\u0041 x"),
    ],
)
def test_headers_are_decoded_as_well_as_they_can_be(value: bytes, read: str) -> None:
    assert header(value) == read


def test_several_headers_of_a_name_are_joined() -> None:
    assert read_mail(b"Received: one\r\nReceived: two\r\n\r\n").message.headers == {"received": "one, two"}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (b'"Doe, J" <j@b.test>, k@b.test', (Address("j@b.test", "Doe, J"), Address("k@b.test"))),
        (b"=?utf-8?q?a=2C_x=40y?= <j@b.test>", (Address("j@b.test", "a, x@y"),)),
        (b"undisclosed-recipients:;", ()),
        (b"", ()),
        (b"team: a@b.test, c@d.test;", (Address("a@b.test"), Address("c@d.test"))),
    ],
)
def test_addresses_are_read_before_their_names_are_decoded(value: bytes, read: tuple[Address, ...]) -> None:
    assert read_mail(b"To: " + value + b"\r\n\r\n").message.to == read


@pytest.mark.parametrize(
    ("charset", "content", "read"),
    [
        (b"utf-8", "ä".encode(), "ä"),
        (b"iso-8859-1", b"\xe4", "ä"),
        (b"unheard-of", "ä".encode(), "ä"),
        (b"utf-8", b"\xe4", "ä"),
        (b"us-ascii", "ä".encode(), "ä"),
        (b"zlib", b"a", "a"),
        (b"utf-7", b"+2AA-", "?"),
        (b"\xff", b"a", "a"),
    ],
)
def test_a_body_in_a_wrong_charset_is_read(charset: bytes, content: bytes, read: str) -> None:
    raw = b"Content-Type: text/plain; charset=" + charset + b"\r\n\r\n" + content

    assert read_mail(raw).message.text == read


def test_alternatives_are_the_bodies_and_all_else_is_a_file() -> None:
    message, files = mail(
        b"Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nplain\r\n"
        b"--c\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n--c--",
        b"Content-Type: text/plain\r\n\r\nfooter",
        b"Content-Type: text/plain; name=notes.txt\r\n\r\nnotes",
        b"Content-Disposition: attachment\r\n\r\n",
        b"Content-Type: image/png\r\nContent-ID: <logo>\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=",
        b"Content-Type: text/calendar\r\n\r\nBEGIN",
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nbody",
        b"Content-Type: not a type\r\nContent-Disposition: attachment\r\n\r\nx",
    )

    assert (message.text, message.html) == ("plain", "<p>rich</p>")
    assert [(file.filename, file.content_type) for file in files] == [
        ("attachment-1.txt", "text/plain"),
        ("notes.txt", "text/plain"),
        ("attachment-3.txt", "text/plain"),
        ("attachment-4.png", "image/png"),
        ("attachment-5.ics", "text/calendar"),
        ("attachment-6.eml", "message/rfc822"),
        ("attachment-7.txt", "text/plain"),
    ]
    assert (files[3].content, files[3].content_id) == (b"hi", "logo")
    assert files[5].content.replace(b"\r\n", b"\n") == b"Subject: inner\n\nbody"


@pytest.mark.parametrize(
    ("name", "read"),
    [
        (b'"../../etc/passwd"', "../../etc/passwd"),
        (b'"=?utf-8?b?4oCuZ3BqLmV4ZQ==?="', "\u202egpj.exe"),
        (b'"a=?utf-8?q?=0A?=b"', "a b"),
        (b'"' + b"x" * 5_000 + b'"', "x" * 255),
        (b'"  "', "attachment-1.bin"),
    ],
)
def test_names_of_files_are_one_short_line(name: bytes, read: str) -> None:
    _, (file,) = mail(b"Content-Type: application/x-y; name=" + name + b"\r\n\r\nx")

    assert file.filename == read


def test_a_broken_transfer_encoding_brings_what_there_is() -> None:
    _, files = mail(
        b"Content-Type: a/b; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Content-Type: a/b; name=y\r\nContent-Transfer-Encoding: nonsense\r\n\r\nbytes \xff",
    )

    assert files[1].content == b"bytes \xff"
    assert files[0].filename == "x"


MIXED = b"Content-Type: multipart/mixed; boundary=b\n\n"
NESTED = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (at, at) for at in range(60))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(lambda: NESTED, id="nested"),
        pytest.param(lambda: NESTED[:900] + b"x\n" * 600_000, id="nested-lines"),
        pytest.param(lambda: b"\n" * 800_000, id="lines"),
        pytest.param(lambda: b"\r" * 800_000, id="returns"),
        pytest.param(lambda: MIXED + b"--b\n\nx\n" * 30_000, id="parts"),
        pytest.param(
            lambda: MIXED + b"--b\nContent-Type: a/b\n\nx\n" * 101,
            id="files",
        ),
        pytest.param(lambda: b"a: b\n" * 1_001 + b"\n", id="headers"),
        pytest.param(lambda: b"a: " + b"b" * 70_000 + b"\n\n", id="long-header"),
        pytest.param(lambda: b"\n\n" + b"x" * (1024 * 1024 + 1), id="long-body"),
        pytest.param(lambda: b"Content-Type: a/b\n\n" + b"x" * (25 * 1024 * 1024 + 1), id="large-file"),
        pytest.param(lambda: b"Content-Type: message/rfc822\n\n" * 2_000, id="mails-in-mails"),
    ],
)
def test_what_would_take_too_much_is_refused(raw: Callable[[], bytes]) -> None:
    with pytest.raises(RefusalError) as caught:
        read_mail(raw())

    assert caught.value.status == 422


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"From: " + b"(" * 60_000, id="comments"),
        pytest.param(b"To: " + b"a@b," * 16_000, id="addresses"),
        pytest.param(b"To: " + b'"\\' * 30_000, id="quotes"),
        pytest.param(b"Subject: " + b"=?utf-8?q?a?= " * 4_600, id="words"),
        pytest.param(b"Subject: " + b"=?" * 30_000, id="openings"),
        pytest.param(b"Content-Type: text/plain;" + b";" * 60_000, id="parameters"),
        pytest.param(b"Content-Disposition: attachment;" + b';"' * 30_000, id="quoted-parameters"),
        pytest.param(b"Content-Type: text/plain; charset=punycode\n\n" + b"a" * 1_000_000, id="punycode"),
        pytest.param(b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" * 1_000_000, id="quoted-printable"),
    ],
)
def test_what_is_meant_to_be_slow_is_read(raw: bytes) -> None:
    # Quadratic rules would need hours for these, so pytest-timeout would end them.
    assert isinstance(read_mail(raw), ReadMail)
