"""Rows of JSON Lines, whatever the bytes are."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poststack.sending_many.jsonl import FAILURE, jsonl_rows
from poststack.sending_many.rows import InputError, Place, Row

BEGINNING = Place()
ROW = b'{"to":["ada@example.com"],"subject":"Hi"}'


def read(data: bytes, start: Place = BEGINNING, longest: int = 1_000) -> list[Row]:
    file = io.BytesIO(data)
    file.seek(start.offset)
    return list(jsonl_rows(file, start, longest=longest))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
def test_each_line_is_a_row_and_empty_lines_are_none(mark: bytes, end: bytes) -> None:
    rows = read(mark + ROW + end + b"  " + end + end + ROW)

    assert [(row.number, row.line, row.problem) for row in rows] == [(0, 1, None), (1, 4, None)]
    assert rows[0].payload == {"to": ["ada@example.com"], "subject": "Hi"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"to": [', "not JSON"),
        (b'"ada@example.com"', "not an object"),
        (b'{"to": NaN}', "NaN is no number"),
        (b'{"to": "\xff"}', "not UTF-8"),
        (b'{"a":' + b"[" * 500_000 + b"}", "nested too deeply"),
        (b'{"to": "' + b"x" * 2_000_000 + b'"}', "longer than 1,000,000 bytes"),
        (b'{"_failure": {"line": 3}}', "could not be read when it was reported"),
        (b'{"n": ' + b"1" * 5_000 + b"}", ""),
    ],
    ids=["json", "no-object", "nan", "utf8", "deep", "long", "reported", "number"],
)
def test_a_wrong_row_costs_no_other(line: bytes, problem: str) -> None:
    rows = read(b"\n".join([ROW, line, ROW]), longest=1_000_000)

    assert [row.line for row in rows] == [1, 2, 3]
    assert rows[0].payload == rows[2].payload == {"to": ["ada@example.com"], "subject": "Hi"}
    if problem:  # Python 3.10 may read numbers of any length.
        assert rows[1].payload is None
        assert problem in (rows[1].problem or "")


def test_the_problem_names_no_address_and_the_row_is_kept_for_the_report() -> None:
    [_, wrong] = read(ROW + b'\n{"to": "grace@example.com"\n')

    assert "grace" not in (wrong.problem or "")
    assert wrong.raw == '{"to": "grace@example.com"'


def test_what_a_report_says_of_a_failure_is_left_out() -> None:
    [row] = read(b'{"to":["ada@example.com"],"idempotency_key":"k","_failure":{"error":"no"}}')

    assert row.payload == {"to": ["ada@example.com"], "idempotency_key": "k"}
    assert FAILURE == "_failure"


@pytest.mark.parametrize("data", [b'[{"to": []}]', b'  [\n{"to": []}\n]'], ids=["one-line", "many"])
def test_an_array_is_refused_as_a_whole_with_the_way_out(data: bytes) -> None:
    with pytest.raises(InputError, match="jq -c"):
        read(data)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf16_is_refused_as_a_whole(encoding: str) -> None:
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""

    with pytest.raises(InputError, match="UTF-8"):
        read(mark + ROW.decode().encode(encoding))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text().filter(lambda name: name != FAILURE), VALUES, max_size=4)
LINES = st.one_of(
    OBJECTS.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")),
    st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")),
).filter(lambda line: not line.lstrip().startswith((b"[", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")))


@settings(max_examples=50)
@given(st.lists(LINES, max_size=6), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_reading_can_go_on_after_every_row(lines: list[bytes], end: bytes, ends_with_one: bool) -> None:
    data = end.join(lines) + (end if ends_with_one else b"")

    rows = read(data)

    assert [row.number for row in rows] == list(range(len(rows)))
    assert all((row.payload is None) != (row.problem is None) for row in rows)
    assert not rows or rows[-1].after.offset <= len(data)
    for row in rows:
        assert read(data, row.after) == rows[row.number + 1 :]


@settings(max_examples=40)
@given(st.lists(OBJECTS, min_size=1, max_size=5))
def test_every_object_comes_back_as_it_was_written(values: list[dict[str, Any]]) -> None:
    data = "".join(json.dumps(value) + "\n" for value in values).encode()

    assert [row.payload for row in read(data, longest=100_000)] == values
