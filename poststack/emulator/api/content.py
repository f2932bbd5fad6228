"""What can be said about the content of an e-mail without sending it: variables, warnings, a spam score.

The rules are few and plain. They are hints for development, not what a real spam filter would say.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from poststack.emulator.model import Message, SpamFinding

__all__ = ["fill", "insights", "spam_findings", "spam_report", "variable_names"]

_VARIABLE = re.compile(r"\{\{\s*([\w.-]{1,100})\s*\}\}")
# Patterns stop at the next < so that no input makes them look at the same text over and over.
_IMAGE = re.compile(r"<img\b[^<>]*", re.IGNORECASE)
_ALT = re.compile(r"\balt\s*=", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_PLAIN_HTTP = re.compile(r"""href\s*=\s*["']http://""", re.IGNORECASE)
_NUMERIC_HOST = re.compile(r"https?://\d{1,3}(?:\.\d{1,3}){3}")
_SHORTENER = re.compile(r"https?://(?:bit\.ly|tinyurl\.com|goo\.gl|t\.co)/", re.IGNORECASE)
_PUSHY = re.compile(r"\b(?:free money|act now|winner|100% free|risk[- ]free|click here|viagra|casino)\b", re.IGNORECASE)
_GMAIL_CLIPS_AT = 102 * 1024
_LONG_SUBJECT = 78
# Rules look at the beginning of a body: enough to judge it, and quick for the largest one.
_LOOKED_AT = 200_000

# fmt: off
_SPAM_RULES: tuple[tuple[str, float, str, Callable[[str, str], bool]], ...] = (
    ("EMPTY_SUBJECT", 1.5, "The subject is empty", lambda subject, body: not subject.strip()),
    ("SUBJECT_ALL_CAPS", 2.0, "The subject is in capitals", lambda subject, body: _shouts(subject)),
    ("SUBJECT_EXCLAIMS", 1.0, "The subject has several exclamation marks",
     lambda subject, body: subject.count("!") > 1),
    ("PUSHY_WORDS", 1.5, "Wording that filters know from spam",
     lambda subject, body: bool(_PUSHY.search(f"{subject}\n{body}"))),
    ("NUMERIC_LINK", 2.0, "A link to a bare IP address",
     lambda subject, body: bool(_NUMERIC_HOST.search(body))),
    ("SHORTENED_LINK", 1.5, "A link through a shortener",
     lambda subject, body: bool(_SHORTENER.search(body))),
    ("EMPTY_BODY", 1.5, "The body has no text", lambda subject, body: not _TAG.sub("", body).strip()),
)
# fmt: on
_ACTIONS = ((15.0, "reject"), (8.0, "rewrite_subject"), (6.0, "add_header"), (4.0, "greylist"))


def variable_names(*texts: str | None) -> list[str]:
    """Return the names used as `{{name}}`, each once, in order of appearance."""
    return list(dict.fromkeys(match for text in texts if text for match in _VARIABLE.findall(text)))


def fill(text: str, variables: Mapping[str, str], *, escape: bool) -> str:
    """Replace each `{{name}}` by its value, or by nothing when there is none.

    `escape` values for use in HTML.
    """

    def value(match: re.Match[str]) -> str:
        found = variables.get(match[1], "")
        return html.escape(found) if escape else found

    return _VARIABLE.sub(value, text)


def spam_findings(subject: str, html_body: str | None, text_body: str | None) -> tuple[SpamFinding, ...]:
    """Return the spam rules that match."""
    body = f"{(html_body or '')[:_LOOKED_AT]}\n{(text_body or '')[:_LOOKED_AT]}"
    return tuple(
        SpamFinding(name, score, description)
        for name, score, description, matches in _SPAM_RULES
        if matches(subject, body)
    )


def spam_report(findings: Iterable[SpamFinding]) -> dict[str, Any]:
    """Return the spam check as the API writes it."""
    found = list(findings)
    score = round(sum(finding.score for finding in found), 2)
    return {
        "score": score,
        "action": next((action for limit, action in _ACTIONS if score >= limit), "no_action"),
        "symbols": [
            {"name": finding.name, "score": finding.score, "description": finding.description} for finding in found
        ],
        "skipped": False,
    }


def insights(message: Message) -> list[dict[str, str]]:
    """Return what may keep this e-mail from being read, as warnings and infos."""
    page = (message.html or "")[:_LOOKED_AT]
    checks = (
        (message.html is not None and not message.text, "missing_text", "warning",
         "There is no text part for readers that show no HTML."),
        (message.html is None, "missing_html", "info", "There is no HTML part."),
        (len((message.html or "").encode()) > _GMAIL_CLIPS_AT, "html_too_large", "warning",
         "Gmail cuts off HTML above 102 KB."),
        (len(message.subject) > _LONG_SUBJECT, "long_subject", "info",
         "Many inboxes cut off subjects above 78 characters."),
        (any(not _ALT.search(image) for image in _IMAGE.findall(page)), "image_without_alt", "info",
         "An image has no alt text."),
        (bool(_PLAIN_HTTP.search(page)), "insecure_link", "warning", "A link uses http instead of https."),
        (bool(variable_names(message.subject, page, (message.text or "")[:_LOOKED_AT])), "unfilled_variable",
         "warning", "A {{placeholder}} was not filled in."),
    )  # fmt: skip
    return [
        {"code": code, "message": text, "severity": severity} for applies, code, severity, text in checks if applies
    ]


def _shouts(subject: str) -> bool:
    letters = [character for character in subject if character.isalpha()]
    return len(letters) > 5 and all(letter.isupper() for letter in letters)
