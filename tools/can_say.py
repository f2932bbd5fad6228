"""Write the table of docs/providers.md that says what each provider can say, from the adapters' own capabilities.

python -m tools.can_say            write it
python -m tools.can_say --check    exit status 1 when it is not up to date
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from poststack.mailbridge.registry import make_provider
from poststack.providers.capabilities import MANY

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack.providers.base import Provider
    from poststack.providers.capabilities import Capabilities

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "providers.md"
BEGIN: Final = "<!-- Written by tools/can_say.py. -->\n"
END: Final = "<!-- The end of what tools/can_say.py writes. -->\n"
SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "poststack": {"api_key": "sk_x"},
    "sendgrid": {"api_key": "SG.x"},
    "postmark": {"server_token": "x"},
    "mailgun": {"api_key": "x", "domain": "mg.example.org"},
    "brevo": {"api_key": "x"},
    "ses": {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "eu-west-1"},
    "smtp": {"host": "smtp.example.org"},
}


def table() -> str:
    """Return the table in Markdown."""
    adapters: list[Provider[Any, Any]] = []
    for name, settings in SETTINGS.items():
        adapters.append(cast("Provider[Any, Any]", make_provider(name, settings)))
    lines = [
        "| | " + " | ".join(adapter.title for adapter in adapters) + " |",
        "|---|" + "---|" * len(adapters),
    ]
    for title, show in ROWS.items():
        lines.append(f"| {title} | " + " | ".join(show(adapter.capabilities) for adapter in adapters) + " |")
    return "\n".join(lines) + "\n"


def _flag(value: bool) -> str:
    return "yes" if value else "–"


def _count(value: int) -> str:
    return "any" if value >= MANY else "–" if value == 0 else f"{value:,}"


def _span(value: timedelta | None) -> str:
    if value is None:
        return "–"
    if value >= timedelta(days=3650):
        return "any"
    hours = value / timedelta(hours=1)
    if hours < 1:
        return f"{hours * 60:g} min"
    return f"{hours / 24:g} days" if hours > 96 else f"{hours:g} h"


ROWS: Final[dict[str, Callable[[Capabilities], str]]] = {
    "recipients of one e-mail": lambda can: _count(can.recipients),
    "bodies and files, MB before encoding": lambda can: f"{can.size / 1e6:g}",
    "`reply_to`": lambda can: _count(can.reply_to),
    "text without HTML": lambda can: _flag(can.text_alone),
    "`headers`": lambda can: _flag(can.headers),
    "`tags`": lambda can: _count(can.tags),
    "`metadata`": lambda can: _flag(can.metadata),
    "images inside the HTML": lambda can: _flag(can.inline_images),
    "`template_id`, `template_data`": lambda can: _flag(can.templates),
    "… with attachments": lambda can: _flag(can.templates and can.template_attachments),
    "`scheduled_at`, ahead": lambda can: _span(can.scheduling),
    "`track_opens`": lambda can: _flag(can.track_opens),
    "`track_clicks`": lambda can: _flag(can.track_clicks),
    "minds an `idempotency_key` for": lambda can: _span(can.idempotency),
    "letters outside ASCII before the @": lambda can: _flag(can.non_ascii_local_parts),
    "several e-mails in one request": lambda can: _flag(can.batches),
}


def main() -> int:
    """Write or compare."""
    page = PAGE.read_text("utf-8")
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    written = page[:start] + table() + page[end:]
    if "--check" in sys.argv[1:]:
        if written != page:
            print("can_say: docs/providers.md is not up to date. Run: python -m tools.can_say")
        return int(written != page)
    PAGE.write_text(written, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
