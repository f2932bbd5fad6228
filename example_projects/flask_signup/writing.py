"""What the letters say. Neither Flask nor a request is needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, select_autoescape

if TYPE_CHECKING:
    from example_projects.flask_signup.letters import Letter
    from poststack.types import SendEmail

templates = Environment(
    loader=PackageLoader("example_projects.flask_signup", "templates/letters"),
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
)


def payload(letter: Letter) -> SendEmail:
    """Return what is sent. It depends on what is stored alone: repeated, it has to be the same for its key."""
    return {
        "from": os.environ.get("SIGNUP_FROM", "Northlight <hello@northlight.example>"),
        "to": [letter.address],
        "subject": letter.subject,
        "text": templates.get_template(f"{letter.kind}.txt").render(letter=letter),
        "html": templates.get_template(f"{letter.kind}.html").render(letter=letter),
        "tags": [letter.kind],
        "idempotency_key": letter.key,
    }
