"""The form: what may be filled in, and what is said when something is wrong with it."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, EmailStr, StringConstraints, ValidationError

from example_projects.fastapi_signup.people import Visitor

__all__ = ["checked"]

_NO_NAME: Final = re.compile(r"[\x00-\x1f\x7f<>@/\\]|www\.", re.IGNORECASE)


def _a_name(text: str) -> str:
    # It stands in a letter to an address that anybody can fill in: no place for a stranger's link.
    if _NO_NAME.search(text):
        raise ValueError("no name")
    return " ".join(text.split())


class _Form(BaseModel):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_a_name)]
    email: Annotated[EmailStr, StringConstraints(strip_whitespace=True, max_length=254)]


def checked(name: str, email: str) -> Visitor | dict[str, str]:
    """Return who signs up, or what to say about each field that is wrong."""
    try:
        form = _Form(name=name, email=email)
    except ValidationError as error:
        wrong = {str(found["loc"][0]) for found in error.errors()}
        said = {
            "name": "Please write a name of at most 60 characters, without < > @ or /."
            if name.strip()
            else "Please tell us your name.",
            "email": "This does not look like an e-mail address. Please check it.",
        }
        return {field: text for field, text in said.items() if field in wrong}
    return Visitor(form.name, form.email)
