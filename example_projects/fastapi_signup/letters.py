"""What the application writes to people."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from example_projects.fastapi_signup.people import NewLetter

if TYPE_CHECKING:
    from typing import Literal

    from example_projects.fastapi_signup.people import SignUp
    from example_projects.fastapi_signup.settings import Settings
    from poststack.types import SendEmail

__all__ = ["written"]

SUBJECTS: Final = {"confirm": "Is this your address?", "welcome": "Welcome to the Lantern Walks"}

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates" / "letters"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def written(kind: Literal["confirm", "welcome"], sign_up: SignUp, settings: Settings) -> NewLetter:
    """Return a letter that is ready to be stored.

    The key is made here, once, and stored with the letter: whoever sends it, and however often, uses this one.
    """
    key = f"lantern-{kind}-{secrets.token_urlsafe(18)}"
    context = {"sign_up": sign_up, "url": settings.url}
    payload: SendEmail = {
        "from": settings.sender,
        "to": [sign_up.email],
        "subject": SUBJECTS[kind],
        "text": _templates.get_template(f"{kind}.txt").render(context),
        "html": _templates.get_template(f"{kind}.html").render(context),
        "tags": [kind],
        # The link in it is as good as a signature: it does not go by way of another server.
        "tracking": {"opens": False, "clicks": False},
        "idempotency_key": key,
    }
    return NewLetter(kind, key, json.dumps(payload))
