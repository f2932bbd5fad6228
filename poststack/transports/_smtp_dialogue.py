"""What a client and a mail server say to each other (RFC 5321), without the sockets.

Each dialogue is a generator: it yields what to do next, is sent the server's reply, and returns what came of it. So
smtplib and aiosmtplib say the same, and only move bytes. A failure of the connection is thrown into it.
"""

from __future__ import annotations

import base64
import enum
import hmac
import re
from collections.abc import Generator, Iterator, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias, TypeVar

from poststack.transports.base import TransportError

__all__ = [
    "Content",
    "Credentials",
    "Dialogue",
    "Features",
    "SmtpAnswer",
    "SmtpReply",
    "SmtpRequest",
    "Stage",
    "Step",
    "enhanced_code",
    "opening",
    "stuffed",
    "transaction",
]

Stage: TypeAlias = Literal["connect", "tls", "auth", "mail", "rcpt", "data", "end"]
"""How far an attempt came: `data` is the command, `end` the reply to the whole e-mail."""
Features: TypeAlias = Mapping[str, str]
"""What the server offers in its answer to EHLO: names in lower case, and their parameters."""
Result = TypeVar("Result")

_ENHANCED: Final = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_LONE_BREAKS: Final = re.compile(rb"\r\n|\r|\n")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")


class SmtpRequest(NamedTuple):
    """One e-mail for a server: an envelope, and the bytes that recipients get.

    Addresses are bare. `needs_utf8`: the sender or a header has an address that is not ASCII (RFC 6531). `timeout`
    bounds each step in seconds; `deadline`, when given, is the moment on the monotonic clock at which the attempt must
    have ended.
    """

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    needs_utf8: bool = False
    timeout: float = 30.0
    deadline: float | None = None

    def __repr__(self) -> str:
        """Return what identifies no person."""
        return f"SmtpRequest({len(self.recipients)} recipients, {len(self.data)} bytes)"


class SmtpReply(NamedTuple):
    """What the server said. With code 0 it is the client itself that found the server unable."""

    code: int
    text: str

    @property
    def positive(self) -> bool:
        """Whether the server did what it was asked."""
        return 200 <= self.code < 300

    def __repr__(self) -> str:
        """Return the code; the text may name people."""
        return f"SmtpReply({self.code})"


class SmtpAnswer(NamedTuple):
    """What came of a request: the reply that decided it, and the recipients that were refused one by one.

    Accepted when `stage` is `end` and the reply positive: then all recipients get it but those in `refused`. A
    `TransportError` there is a connection that failed when others had been accepted already.
    """

    reply: SmtpReply
    stage: Stage
    refused: Mapping[str, SmtpReply | TransportError] = {}

    @property
    def accepted(self) -> bool:
        """Whether the server has taken the e-mail."""
        return self.stage == "end" and self.reply.positive

    def __repr__(self) -> str:
        return f"SmtpAnswer({self.reply!r}, {self.stage!r}, {len(self.refused)} refused)"


class Credentials(NamedTuple):
    """Who logs in, and with what."""

    username: str
    secret: str
    is_token: bool = False
    """Whether the secret is an OAuth 2 access token and no password."""

    def __repr__(self) -> str:
        return "Credentials(…)"


class Step(enum.Enum):
    """What is more than a command and its reply."""

    CONNECT = "connect"
    """Connect and read the greeting."""
    STARTTLS = "starttls"
    """Say STARTTLS, and encrypt if the reply is 220."""


class Content(NamedTuple):
    """The e-mail, and after it the dot that ends it. From the dot on, the server may have taken it."""

    data: bytes

    def __repr__(self) -> str:
        return f"Content({len(self.data)} bytes)"


Dialogue: TypeAlias = Generator["bytes | Step | Content", SmtpReply, Result]


def enhanced_code(text: str) -> str | None:
    """Return the code such as `5.1.1` at the start of a reply's text (RFC 3463)."""
    found = _ENHANCED.match(text)
    return found[1] if found else None


def stuffed(data: bytes) -> bytes:
    """Return an e-mail as it travels: lines end in CRLF and nothing else does, and no line is a lone dot."""
    # A lone CR or LF is an end of line to some servers, behind which another e-mail could hide.
    if not data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r"):
        data = _LONE_BREAKS.sub(b"\r\n", data)
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    data = data.replace(b"\r\n.", b"\r\n..")
    return b"." + data if data.startswith(b".") else data


def opening(
    local_hostname: str, *, starttls: bool, credentials: Credentials | None
) -> Dialogue[dict[str, str] | SmtpAnswer]:
    """Connect, encrypt, log in. Return what the server offers then, or the answer that ended it."""
    reply = yield Step.CONNECT
    if reply.code != 220:
        return SmtpAnswer(reply, "connect")
    features = yield from _hello(local_hostname)
    if starttls and not isinstance(features, SmtpAnswer):
        features = yield from _encrypted(local_hostname, features)
    if credentials is not None and not isinstance(features, SmtpAnswer):
        reply = yield from _login(credentials, features)
        if reply.code != 235:
            return SmtpAnswer(reply, "auth")
    return features


def _hello(local_hostname: str) -> Dialogue[dict[str, str] | SmtpAnswer]:
    reply = yield _command(f"EHLO {local_hostname}")
    if reply.positive:
        return dict(_features(reply.text))
    if reply.code in {500, 502, 504}:  # It knows only the SMTP of 1982.
        reply = yield _command(f"HELO {local_hostname}")
        if reply.positive:
            return {}
    return SmtpAnswer(reply, "connect")


def _encrypted(local_hostname: str, features: Features) -> Dialogue[dict[str, str] | SmtpAnswer]:
    if "starttls" not in features:
        return SmtpAnswer(SmtpReply(0, "5.7.0 the server offers no STARTTLS, and `use_tls` asks for it"), "tls")
    reply = yield Step.STARTTLS
    if reply.code != 220:
        return SmtpAnswer(reply, "tls")
    # What was offered before was not authenticated, so it counts no more (RFC 3207 §4.2).
    return (yield from _hello(local_hostname))


def _features(text: str) -> Iterator[tuple[str, str]]:
    mechanisms: list[str] = []
    for line in text.split("\n")[1:]:
        name, _, parameters = line.strip().partition(" ")
        if name[:5].upper() == "AUTH=":  # As servers wrote it before RFC 2554.
            name, parameters = "AUTH", f"{name[5:]} {parameters}"
        if name.upper() == "AUTH":
            mechanisms += parameters.upper().split()
        elif name:
            yield name.lower(), parameters.strip()
    if mechanisms:
        yield "auth", " ".join(dict.fromkeys(mechanisms))


def _login(credentials: Credentials, features: Features) -> Dialogue[SmtpReply]:
    offered = features.get("auth", "").split()
    user, secret = credentials.username.encode(), credentials.secret.encode()
    if credentials.is_token:
        if "XOAUTH2" not in offered:
            return SmtpReply(0, "5.7.0 the server offers no XOAUTH2 to log in with a token")
        reply = yield b"AUTH XOAUTH2 " + base64.b64encode(b"user=%b\x01auth=Bearer %b\x01\x01" % (user, secret))
        # A refused token is explained in a challenge first; an empty line asks for the refusal itself.
        return (yield b"") if reply.code == 334 else reply
    reply = SmtpReply(0, "5.7.0 the server offers no way to log in that is known here")
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
        if mechanism in offered:
            reply = yield from _login_by(mechanism, user, secret)
            # Only a mechanism that is offered and not there is worth another: each refused password counts against
            # the account.
            if reply.code not in {500, 502, 503, 504}:
                break
    return reply


def _login_by(mechanism: str, user: bytes, secret: bytes) -> Dialogue[SmtpReply]:
    if mechanism == "PLAIN":
        return (yield b"AUTH PLAIN " + base64.b64encode(b"\0%b\0%b" % (user, secret)))
    reply = yield b"AUTH " + mechanism.encode("ascii")
    if reply.code != 334:
        return reply
    if mechanism == "LOGIN":
        reply = yield base64.b64encode(user)
        return (yield base64.b64encode(secret)) if reply.code == 334 else reply
    try:
        challenge = base64.b64decode(reply.text, validate=True)
    except ValueError:
        return (yield b"*")  # Cancels the exchange.
    digest = hmac.new(secret, challenge, "md5").hexdigest().encode("ascii")
    return (yield base64.b64encode(b"%b %b" % (user, digest)))


def transaction(request: SmtpRequest, features: Features, *, reset: bool) -> Dialogue[SmtpAnswer]:
    """Hand over an e-mail; to many recipients in several transactions, where the server takes fewer at a time.

    `reset`: the one before on this connection ended halfway.
    """
    refused: dict[str, SmtpReply | TransportError] = {}
    if "smtputf8" not in features:
        beyond = (address for address in request.recipients if request.needs_utf8 or not address.isascii())
        refused |= dict.fromkeys(beyond, _NO_UTF8)
    recipients = [address for address in request.recipients if address not in refused]
    if not recipients:
        return SmtpAnswer(_NO_UTF8, "rcpt", refused)
    limit = features.get("size", "")
    if limit.isdigit() and 0 < int(limit) < len(request.data):
        text = f"5.3.4 the e-mail has {len(request.data)} bytes, and the server takes {int(limit)}"
        return SmtpAnswer(SmtpReply(0, text), "mail")
    if reset:
        reply = yield b"RSET"
        if not reply.positive:
            return SmtpAnswer(reply, "mail")
    accepted: SmtpReply | None = None
    while True:
        rest: list[str] = []
        try:
            answer = yield from _one_transaction(request, features, recipients, refused, rest)
        except TransportError as error:
            if accepted is None:
                raise
            return _rest_refused(accepted, refused, recipients, error)
        if accepted is not None and not answer.accepted:
            return _rest_refused(accepted, refused, recipients, answer.reply)
        if not answer.accepted or not rest:
            return answer
        accepted, recipients = answer.reply, rest


_NO_UTF8: Final = SmtpReply(0, "5.6.7 the server takes no letters outside ASCII before the @ (no SMTPUTF8)")


def _rest_refused(
    accepted: SmtpReply,
    refused: Mapping[str, SmtpReply | TransportError],
    recipients: list[str],
    why: SmtpReply | TransportError,
) -> SmtpAnswer:
    """Return that a later transaction failed: what was accepted before stays so, whatever became of the others."""
    return SmtpAnswer(accepted, "end", {**dict.fromkeys(recipients, why), **refused})


def _one_transaction(
    request: SmtpRequest,
    features: Features,
    recipients: list[str],
    refused: dict[str, SmtpReply | TransportError],
    rest: list[str],
) -> Dialogue[SmtpAnswer]:
    """Add to `refused`, and to `rest` those that the server takes in another transaction only."""
    parameters = ""
    if "size" in features:
        parameters += f" SIZE={len(request.data)}"
    if not request.data.isascii() and "8bitmime" in features:
        parameters += " BODY=8BITMIME"
    if request.needs_utf8 or not all(address.isascii() for address in recipients):
        parameters += " SMTPUTF8"
    reply = yield _command(f"MAIL FROM:<{request.sender}>{parameters}")
    if not reply.positive:
        return SmtpAnswer(reply, "mail", refused)
    taken = 0
    for index, address in enumerate(recipients):
        reply = yield _command(f"RCPT TO:<{address}>")
        if reply.positive:
            taken += 1
        elif reply.code == 421:
            return SmtpAnswer(reply, "rcpt", refused)
        elif taken and _are_too_many(reply):
            rest += recipients[index:]
            break
        else:
            refused[address] = reply
    if not taken:
        return SmtpAnswer(reply, "rcpt", refused)
    reply = yield b"DATA"
    if reply.code != 354:
        return SmtpAnswer(reply, "data", refused)
    reply = yield Content(stuffed(request.data))
    return SmtpAnswer(reply, "end", refused)


def _are_too_many(reply: SmtpReply) -> bool:
    code = enhanced_code(reply.text)
    # RFC 5321 §4.5.3.1.10: 452, and 552 from servers that follow its predecessor.
    return code in {"4.5.3", "5.5.3"} or (code is None and reply.code in {452, 552})


def _command(line: str) -> bytes:
    if _CONTROLS.search(line):
        raise ValueError("An address or a host name has a control character, which would be another command.")
    return line.encode()
