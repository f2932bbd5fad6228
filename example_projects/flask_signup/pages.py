"""The pages: the form, and the letters of this visitor."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from flask import Blueprint, redirect, render_template, request, session, url_for
from redis import RedisError

from example_projects.flask_signup import database, letters
from example_projects.flask_signup.queue import enqueue
from poststack import mime

if TYPE_CHECKING:
    from werkzeug import Response

bp = Blueprint("signup", __name__)
logger = logging.getLogger(__name__)

LONGEST = 200


@bp.get("/")
def home() -> str:
    """The form."""
    return render_template("signup/home.html", values={}, errors={})


@bp.post("/")
def sign_up() -> Response | tuple[str, int]:
    """Store first, then enqueue: what is stored is sent in the end, whatever happens in between."""
    values = {name: " ".join(request.form.get(name, "").split()) for name in ("name", "email")}
    errors = _problems(values)
    if not errors:
        try:
            subscriber, key = letters.sign_up(database.get(), values["name"], values["email"])
        except letters.AddressKnownError:
            errors["email"] = "This address is on the list already."
        else:
            _enqueue_or_leave(key)
            session["subscribers"] = [*_own_ids(), subscriber]
            return redirect(url_for("signup.mail"), 303)
    return render_template("signup/home.html", values=values, errors=errors), 422


@bp.get("/mail")
def mail() -> str:
    """What became of the letters to this visitor."""
    return render_template("signup/mail.html", letters=letters.of_subscribers(database.get(), _own_ids()))


@bp.get("/mail/list")
def mail_list() -> str:
    """The part of that page that changes."""
    return render_template("signup/_letters.html", letters=letters.of_subscribers(database.get(), _own_ids()))


def _enqueue_or_leave(key: str) -> None:
    try:
        enqueue(key)
    except RedisError as error:
        # The visitor need not know: `enqueue-unsent` makes up for it.
        logger.warning("Letter %s is stored and not enqueued: %s", key, type(error).__name__)


def _own_ids() -> list[int]:
    return cast("list[int]", session.get("subscribers", []))[-20:]


def _problems(values: dict[str, str]) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not values["name"]:
        errors["name"] = "Tell us what to call you."
    elif len(values["name"]) > LONGEST:
        errors["name"] = f"At most {LONGEST} characters, please."
    try:
        values["email"] = mime.address_from(values["email"], "email")
    except ValueError:
        errors["email"] = "Enter an address such as ada@example.com."
    else:
        user, _, domain = values["email"].rpartition("@")
        if not user or "." not in domain or values["email"].endswith(">") or len(values["email"]) > LONGEST:
            errors["email"] = "Enter an address such as ada@example.com."
    return errors
