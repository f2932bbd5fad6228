"""Rows of JSON Lines: one send payload a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from poststack.sending_many.rows import LONGEST_ROW, NOT_UTF8, InputError, Place, Row, failed_row, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from poststack.sending_many.rows import Line

__all__ = ["FAILURE", "jsonl_rows"]

FAILURE: Final = "_failure"
"""What a report adds to a payload. It is left out when a report is read."""


def jsonl_rows(file: BinaryIO, start: Place, *, longest: int = LONGEST_ROW) -> Iterator[Row]:
    """Yield the rows that follow a place. Empty lines are no rows. `longest` is in bytes.

    Raises `InputError` for a file that is one JSON array.
    """
    number = start.row
    for line in lines_of(file, start, longest=longest):
        if not line.is_too_long and not line.data.strip():
            continue
        if number == 0 and line.data.lstrip().startswith(b"["):
            raise _array()
        yield _row(number, line, longest)
        number += 1


def _array() -> InputError:
    return InputError(
        "The file is one JSON array; JSON Lines have one e-mail a line. Convert it: jq -c '.[]' FILE > NEW.jsonl"
    )


def _row(number: int, line: Line, longest: int) -> Row:
    after = Place(number + 1, line.number, line.end)
    if line.is_too_long:
        return failed_row(number, line.number, after, f"The row is longer than {longest:,} bytes.")
    try:
        value: object = json.loads(line.data.decode(), parse_constant=_no_number)
    except UnicodeDecodeError:
        problem = NOT_UTF8
    except RecursionError:
        problem = "The row is nested too deeply."
    except json.JSONDecodeError as error:
        problem = f"The row is not JSON: {error.msg}, at character {error.pos + 1}."
    except ValueError as error:  # Numbers that are none, or too long to be read.
        problem = f"The row is not JSON: {error}"
    else:
        if isinstance(value, dict):
            payload = cast("dict[str, Any]", value)
            if FAILURE not in payload:
                return Row(number, line.number, after, payload)
            del payload[FAILURE]
            if payload.keys() - {"idempotency_key"}:
                return Row(number, line.number, after, payload)
            problem = "The row could not be read when it was reported. Write the e-mail in its place."
        else:
            problem = 'The row is not an object such as {"to": ["…"]}.'
    return failed_row(number, line.number, after, problem, line.data)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON.")
