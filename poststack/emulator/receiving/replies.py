"""Texts around a received mail: what is new in it, how it is quoted, and the headers that keep a thread together.

The rules for what is a quote are few and plain: lines that begin with >, the line above them that says who wrote, and
the separators of common mail programs.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from html import escape
from typing import Literal

from poststack.emulator.receiving.inbound import InboundEmail, InboundMessage
from poststack.emulator.receiving.readable import readable_html

__all__ = [
    "forwarded_html",
    "forwarded_text",
    "prefixed",
    "quoted_html",
    "quoted_text",
    "salutation",
    "stripped_reply",
    "thread_headers",
]

_LONGEST_SUBJECT = 998
_LONGEST_ATTRIBUTION = 4
_KEPT_REFERENCES = 20
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,900}>")
_ATTRIBUTIONS = (("on ", "wrote:"), ("am ", ":"), ("le ", "a écrit :"), ("el ", "escribió:"), ("il ", "ha scritto:"))
_SEPARATOR = re.compile(
    r"-{2,20} ?(?:original message|forwarded message|ursprüngliche nachricht|message d'origine|mensaje original)"
    r" ?-{2,20}|_{20,80}",
    re.IGNORECASE,
)
_HEADER_LINE = re.compile(r"\*?(?:sent|date|to|subject|gesendet|datum|an|betreff|envoyé|objet)\*? ?:", re.IGNORECASE)
# So that most lines are looked at once only.
_SEPARATOR_BEGINS, _HEADER_BEGINS, _ATTRIBUTION_BEGINS = frozenset("-_"), frozenset("*fvd"), frozenset("oalei")
_HTML_QUOTE = re.compile(
    r"""<blockquote\b|<[a-z]{1,20}\s[^<>]{0,500}(?:gmail_quote|yahoo_quoted|moz-cite-prefix|divRplyFwdMsg)""",
    re.IGNORECASE,
)
_BODY = re.compile(r"<body\b[^<>]*>", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)
_OPENINGS = {"formal": "Dear", "friendly": "Hi", "casual": "Hey"}


def stripped_reply(message: InboundMessage) -> str | None:
    """Return what the sender wrote, without quotes and signature; `None` for a mail without a body."""
    if message.text and message.text.strip():
        return _without_quotes(message.text)
    if message.html and message.html.strip():
        quote = _HTML_QUOTE.search(message.html)
        return readable_html(message.html[: quote.start()] if quote else message.html)
    return None


def prefixed(prefix: Literal["Re", "Fwd"], subject: str | None) -> str:
    """Return the subject of a reply or a forwarded mail, with one prefix however often it went to and fro."""
    text = (subject or "").strip()
    known = {"Re": ("re:", "aw:"), "Fwd": ("fwd:", "fw:", "wg:")}[prefix]
    if not text.lower().startswith(known):
        text = f"{prefix}: {text}".strip()
    return text[:_LONGEST_SUBJECT]


def thread_headers(message: InboundMessage) -> dict[str, str]:
    """Return `In-Reply-To` and `References` of an answer (RFC 5322 §3.6.4), the oldest of a very long thread left out.

    Empty when the mail has no id that could be named.
    """
    if message.message_id is None:
        return {}
    earlier = _MESSAGE_ID.findall(message.headers.get("references") or message.headers.get("in-reply-to") or "")
    thread = [earlier_id for earlier_id in earlier if earlier_id != message.message_id]
    kept = thread[:1] + thread[1:][-_KEPT_REFERENCES:]
    return {"In-Reply-To": message.message_id, "References": " ".join([*kept, message.message_id])}


def salutation(message: InboundMessage, tone: str) -> str:
    """Return the first line of an answer: with the whole name when it is formal, with the first name otherwise."""
    name = (message.from_.name or "").strip()
    if not name or "@" in name:
        return "Dear Sir or Madam," if tone == "formal" else "Hello,"
    last, comma, first = name.partition(",")
    ordered = f"{first.strip()} {last.strip()}".strip() if comma else name
    return f"{_OPENINGS[tone]} {ordered if tone == 'formal' else ordered.split()[0]},"


def quoted_text(email: InboundEmail) -> str:
    """Return the mail as a quote in a text."""
    lines = _readable(email.message).split("\n")
    return "\n".join([_attribution(email), *(f"> {line}".rstrip() for line in lines)])


def quoted_html(email: InboundEmail) -> str:
    """Return the mail as a quote in HTML. It is the sender's HTML, as it came."""
    return f"<p>{escape(_attribution(email))}</p>\n<blockquote>{_inner_html(email.message)}</blockquote>"


def forwarded_text(email: InboundEmail, note: str) -> str:
    """Return a mail to be forwarded as a text, below a note."""
    head = [f"{name}: {value}" for name, value in _head(email)]
    lines = ["---------- Forwarded message ----------", *head, "", _readable(email.message)]
    return "\n".join([note, "", *lines] if note else lines)


def forwarded_html(email: InboundEmail, note: str) -> str | None:
    """Return a mail to be forwarded as HTML, below a note; `None` for one that has no HTML."""
    if email.message.html is None:
        return None
    above = f"<p>{_lines(note)}</p>\n" if note else ""
    head = "<br>\n".join(f"{name}: {escape(value)}" for name, value in _head(email))
    return f"{above}<p>---------- Forwarded message ----------<br>\n{head}</p>\n{_inner_html(email.message)}"


def _without_quotes(text: str) -> str:
    lines = text.split("\n")
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        begins = line[:1].lower()
        if begins in _SEPARATOR_BEGINS and (line == "--" or _SEPARATOR.fullmatch(line)):
            break
        if begins in _HEADER_BEGINS and _is_header_block(lines, at):
            break
        if begins in _ATTRIBUTION_BEGINS and (length := _attribution_length(lines, at)):
            if not _quote_follows(lines, at + length):
                break
            at += length
            continue
        if begins != ">":
            kept.append(lines[at].rstrip())
        at += 1
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _attribution_length(lines: list[str], at: int) -> int:
    """Return how many lines "On such a day somebody wrote:" takes here; 0 when it is not that."""
    first = lines[at].strip().lower()
    for opening, ending in _ATTRIBUTIONS:
        if not first.startswith(opening):
            continue
        for length in range(1, _LONGEST_ATTRIBUTION + 1):
            line = lines[at + length - 1].strip().lower() if at + length <= len(lines) else ""
            if not line:
                break
            if line.endswith(ending) and (opening != "am " or "schrieb" in " ".join(lines[at : at + length]).lower()):
                return length
    return 0


def _quote_follows(lines: list[str], at: int) -> bool:
    following = next((line.strip() for line in lines[at : at + 3] if line.strip()), "")
    return following.startswith(">")


def _is_header_block(lines: list[str], at: int) -> bool:
    # Outlook quotes by repeating the headers of the mail above it.
    if not re.match(r"\s*\*?(?:from|von|de)\*? ?:", lines[at][:40], re.IGNORECASE):
        return False
    return sum(bool(_HEADER_LINE.match(line.strip()[:40])) for line in lines[at + 1 : at + 5]) >= 2


def _attribution(email: InboundEmail) -> str:
    return f"On {_date(email)}, {email.message.from_} wrote:"


def _head(email: InboundEmail) -> list[tuple[str, str]]:
    message = email.message
    found = [
        ("From", str(message.from_)),
        ("Date", _date(email)),
        ("Subject", message.subject or ""),
        ("To", ", ".join(map(str, message.to)) or email.to_address),
        ("Cc", ", ".join(map(str, message.cc))),
    ]
    return [(name, value) for name, value in found if value or name == "Subject"]


def _date(email: InboundEmail) -> str:
    received = datetime.fromtimestamp(email.created_at, timezone.utc)
    return f"{received.day} {received:%b %Y at %H:%M} UTC"


def _readable(message: InboundMessage) -> str:
    return (message.text if message.text is not None else readable_html(message.html or "")).rstrip()


def _inner_html(message: InboundMessage) -> str:
    if message.html is None:
        return _lines((message.text or "").rstrip())
    start, end = _BODY.search(message.html), _BODY_END.search(message.html)
    return message.html[start.end() if start else 0 : end.start() if end else None].strip()


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>\n")
