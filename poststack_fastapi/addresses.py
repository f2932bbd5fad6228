"""An e-mail address with or without a name, as people write it and as a header has it."""

from __future__ import annotations

import re
from email.headerregistry import Address as HeaderAddress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

__all__ = ["Address", "Line"]

_LINE_BREAK: Final = re.compile(r"[\r\n\x00]")
_NAMED: Final = re.compile(r'(?P<name>"(?:[^"\\]|\\.)*" *|[^"<>]*)<(?P<email>[^<>]*)>', re.DOTALL)
_SEVERAL: Final = re.compile(r"[,;]")
_ENCODED: Final = re.compile(r"=\?[^?\s]*\?[bq]\?", re.IGNORECASE)
# Without email-validator: what is certainly no address is refused, the rest is the API's to judge.
_LIKELY: Final = re.compile(r"[^\s@<>(),;:\"\\]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]*[a-z][a-z0-9-]*", re.I)
_LONGEST: Final = 254  # RFC 5321 §4.5.3.1.3, without the angle brackets.


def _one_line(text: str) -> str:
    if _LINE_BREAK.search(text):
        raise ValueError("a line break or a NUL would let it add headers to the e-mail")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
"""Text that becomes part of a header: no line breaks, no NUL."""


def _bare(email: object) -> object:
    # EmailStr takes a name in front as well, and drops it.
    if isinstance(email, str) and ("<" in email or _LINE_BREAK.search(email)):
        raise ValueError("write name@example.com here, without a name and without line breaks")
    return email


def _likely(email: str) -> str:
    text = email.strip(" ")
    if len(text) > _LONGEST or not _LIKELY.fullmatch(text):
        raise ValueError("this is not an e-mail address; write name@example.com")
    return text


def _plain_name(name: str | None) -> str | None:
    if name is not None and _ENCODED.search(name):
        raise ValueError("write the name itself, not encoded for a header")
    return (name or "").strip() or None


if TYPE_CHECKING:
    Email = str
elif find_spec("email_validator") is not None:
    from pydantic import EmailStr

    Email = Annotated[EmailStr, BeforeValidator(_bare)]
else:
    Email = Annotated[
        str, AfterValidator(_likely), BeforeValidator(_bare), Field(json_schema_extra={"format": "email"})
    ]


class Address(BaseModel, frozen=True):
    """One address: `Ada <ada@example.com>`, `ada@example.com` or `{"email": …, "name": …}`.

    The syntax is checked as `EmailStr` does it where email-validator is installed. Where it is not, only the shape is:
    one `@`, no spaces or brackets, a domain in ASCII with a dot. `str()` is the form of a header, which the API takes;
    the `repr` hides who it is.
    """

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"description": "An e-mail address, with or without a name."},
    )

    email: Email
    name: Annotated[Line | None, AfterValidator(_plain_name)] = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return _parsed(value) if isinstance(value, str) else value

    def __str__(self) -> str:
        local, _, domain = self.email.rpartition("@")
        return str(HeaderAddress(self.name or "", local, _in_ascii(domain)))

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        yield "email", "…@" + self.email.rpartition("@")[2]

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        if handler.mode == "serialization":
            return schema
        fields = handler.resolve_ref_schema(schema)
        described: dict[str, Any] = {key: fields.pop(key) for key in ("title", "description") if key in fields}
        as_object = dict(fields)
        fields.clear()
        fields.update(described)
        fields["anyOf"] = [{"type": "string"}, as_object]
        fields["examples"] = ["Ada <ada@example.com>", "ada@example.com"]
        return schema


def _parsed(text: str) -> dict[str, str]:
    _one_line(text)
    match = _NAMED.fullmatch(text.strip(" "))
    if match is None:
        if "<" in text:
            raise ValueError('write Name <name@example.com>, and "Name, of any kind" <name@example.com>')
        return {"email": text.strip(" ")}
    name = match["name"].strip(" ")
    if name.startswith('"'):
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    elif _SEVERAL.search(name):
        raise ValueError("these are several addresses; give each its own item, and quote names with commas")
    return {"email": match["email"].strip(" "), "name": name}


def _in_ascii(domain: str) -> str:
    if domain.isascii():
        return domain
    # There only with email-validator, which needs this package, and has checked that it is possible.
    import idna

    return idna.encode(domain).decode("ascii")
