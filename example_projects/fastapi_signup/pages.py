"""The pages and their forms."""

from __future__ import annotations

import hashlib
import secrets
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

from fastapi import APIRouter, Depends, Form, HTTPException
from fastapi.templating import Jinja2Templates
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from example_projects.fastapi_signup.form import checked
from example_projects.fastapi_signup.letters import written
from example_projects.fastapi_signup.parts import PartsDep
from example_projects.fastapi_signup.people import Letter, SignUp
from example_projects.fastapi_signup.post_office import FIRST_ATTEMPT
from example_projects.fastapi_signup.same_origin import same_origin
from poststack_fastapi import PostStackDep

__all__ = ["SignUpDep", "letters_fragment", "pages", "render"]

MOST_PER_DAY: Final = 3
"""Sign-ups of one address in a day: nobody's inbox is to be flooded from here."""
DAY: Final = 24 * 60 * 60.0

pages = APIRouter(dependencies=[Depends(same_origin)], include_in_schema=False)
_templates = Jinja2Templates(Path(__file__).parent / "templates")
_environment: Any = _templates.env  # Its type does not know what one adds to it.


@pages.get("/", name="home")
async def home(request: Request) -> Response:
    return render(request, "home.html", {"given": {}, "said": {}})


@pages.post("/sign-up", name="sign-up")
async def sign_up(
    request: Request,
    parts: PartsDep,
    poststack: PostStackDep,
    name: Annotated[str, Form()] = "",
    email: Annotated[str, Form()] = "",
) -> Response:
    """Store the sign-up and its letter, then send the letter, then show the page about both.

    Whatever happens to this process from the commit on, the letter goes out once: see `post_office.py`.
    """
    visitor = checked(name, email)
    if isinstance(visitor, dict):
        return render(request, "home.html", {"given": {"name": name, "email": email}, "said": visitor}, status=422)
    if await parts.storage.sign_ups_since(visitor.email, time.time() - DAY) >= MOST_PER_DAY:
        return render(request, "enough.html", {"visitor": visitor}, status=429)
    tokens = secrets.token_urlsafe(18), secrets.token_urlsafe(18)
    new = SignUp(visitor.name, visitor.email, 0, *tokens)
    letter = written("confirm", new, parts.settings)
    stored, pending = await parts.storage.add(new, letter, attempt_in=FIRST_ATTEMPT)
    await parts.post_office.send(pending, poststack)
    return RedirectResponse(request.app.url_path_for("status", token=stored.page_token), 303)


async def _signed_up(token: str, parts: PartsDep) -> SignUp:
    found = await parts.storage.sign_up_with(page_token=token)
    if found is None:
        raise HTTPException(404)
    return found


SignUpDep: TypeAlias = Annotated[SignUp, Depends(_signed_up)]


@pages.get("/sign-ups/{token}", name="status")
async def status(request: Request, found: SignUpDep, parts: PartsDep) -> Response:
    fragment = letters_fragment(found, await parts.storage.letters_of(found))
    return render(request, "status.html", {"sign_up": found, "letters": fragment}, private=True)


async def _invited(token: str, parts: PartsDep) -> SignUp:
    found = await parts.storage.sign_up_with(confirm_token=token)
    if found is None:
        raise HTTPException(404)
    return found


InvitedDep: TypeAlias = Annotated[SignUp, Depends(_invited)]


@pages.get("/confirm/{token}", name="confirm")
async def confirm_page(request: Request, found: InvitedDep) -> Response:
    # A page with a button: mail scanners open every link, and must not confirm anything by that.
    return render(request, "confirm.html", {"sign_up": found}, private=True)


@pages.post("/confirm/{token}")
async def confirm(request: Request, found: InvitedDep, parts: PartsDep, poststack: PostStackDep) -> Response:
    letter = written("welcome", found, parts.settings)
    stored = await parts.storage.confirm(found, letter, attempt_in=FIRST_ATTEMPT)
    if stored is not None:  # Else the button was pressed twice.
        await parts.post_office.send(stored, poststack)
    parts.news.tell(found.id)
    return RedirectResponse(request.app.url_path_for("status", token=found.page_token), 303)


class Fragment(NamedTuple):
    """The part of a page that changes."""

    html: Markup
    version: str
    moving: bool
    """Whether it is going to change by itself."""


def letters_fragment(found: SignUp, letters: list[Letter]) -> Fragment:
    """Return somebody's letters as their page shows them, now and later."""
    html: str = _environment.get_template("_letters.html").render(sign_up=found, letters=letters)
    version = hashlib.sha256(html.encode()).hexdigest()[:16]
    moving = not found.confirmed_at or any(letter.moving for letter in letters)
    return Fragment(Markup(html), version, moving)  # The template has escaped what people write.


def render(
    request: Request, template: str, context: dict[str, Any], *, status: int = 200, private: bool = False
) -> Response:
    """Return a page; a private one is stored by nobody."""
    headers = {"Cache-Control": "no-store"} if private else None
    return _templates.TemplateResponse(request, template, context, status_code=status, headers=headers)


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC"


_environment.filters["clock"] = _clock
_environment.globals["home"] = str(pages.url_path_for("home"))
