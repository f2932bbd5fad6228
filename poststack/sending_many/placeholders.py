"""Placeholders in the texts of options, and the columns that fill them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from poststack.sending_many.rows import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poststack.sending_many.columns import Columns

__all__ = ["check_filled"]

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([^{}]{1,100}?)\s*\}\}")
_TEXTS: Final = ("subject", "html", "text")
_OF_THE_API: Final = frozenset({"signature"})
"""Filled by the API itself."""
_MOST_SHOWN: Final = 10


def check_filled(defaults: Mapping[str, Any], columns: Columns) -> None:
    """Raise `InputError` when a text of the options has placeholders that no column fills.

    All recipients would get them empty or as they are. Nothing is known where rows bring variables as JSON, or where
    there is a template, whose variables have defaults.
    """
    if "template_id" in defaults or {"template_id", "variables"} & set(columns.fields):
        return
    used: dict[str, list[str]] = {}
    for option in _TEXTS:
        for name in dict.fromkeys(_PLACEHOLDER.findall(defaults.get(option, ""))):
            used.setdefault(name, []).append(f"--{option}")
    filled = _OF_THE_API.union(columns.variables)
    missing = [name for name in used if name not in filled]
    if not missing:
        return
    shown = [
        f"\n  {{{{{name}}}}} in {' and '.join(used[name])}{_hint(name, columns)}" for name in missing[:_MOST_SHOWN]
    ]
    more = f"\n  … and {len(missing) - _MOST_SHOWN:,} more" if len(missing) > _MOST_SHOWN else ""
    raise InputError(
        f"No column fills these placeholders, and nothing was sent:{''.join(shown)}{more}\n"
        "Name them as the columns are named, or add the columns. If they are meant to be as they are, give "
        "--allow-unfilled."
    )


def _hint(name: str, columns: Columns) -> str:
    if name.lower() in columns.fields:
        return f" (the column {name.lower()} is a field of the e-mail, and no variable)"
    alike = next((column for column in columns.variables if column.casefold() == name.casefold()), None)
    return f" (there is a column {alike})" if alike else ""
