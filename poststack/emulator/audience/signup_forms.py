"""Forms by which people become contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from poststack.emulator.tables import Kind

__all__ = ["SIGNUP_FORMS", "SignupForm"]


@dataclass
class SignupForm:
    """A form. `fields` are as the API writes them; `segment` and `topic` are the numbers of where people are put.

    A segment or a topic that is deleted is still named here and counts as none.
    """

    number: int
    id: str
    name: str
    fields: Sequence[Mapping[str, Any]]
    created_at: float
    updated_at: float
    segment: int | None = None
    topic: int | None = None
    success_message: str | None = None
    redirect_url: str | None = None
    active: bool = True
    submissions: int = 0


SIGNUP_FORMS = Kind("signup_form", SignupForm, keys={"id": lambda form: form.id})
