"""Rows of CSV: headers, delimiters, quotes, and what each column becomes."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poststack.sending_many.csv_table import csv_rows, read_table
from poststack.sending_many.rows import InputError, Place, Row


def read(data: bytes | str, delimiter: str | None = None, longest: int = 1_000_000) -> list[Row]:
    file = io.BytesIO(data.encode() if isinstance(data, str) else data)
    table = read_table(file, delimiter, longest=longest)
    file.seek(table.start.offset)
    return list(csv_rows(file, table, table.start, longest=longest))


def payloads(data: bytes | str, delimiter: str | None = None) -> list[dict[str, Any] | None]:
    return [row.payload for row in read(data, delimiter)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "pipe"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "bom"])
def test_the_header_shows_the_delimiter(delimiter: str, mark: str) -> None:
    data = mark + "\r\n".join(["To,Name", "ada@example.com,Ada", ""]).replace(",", delimiter)

    assert payloads(data) == [{"to": ["ada@example.com"], "variables": {"Name": "Ada"}}]


def test_a_delimiter_that_is_given_counts() -> None:
    assert payloads("to:name\nada@example.com:Ada, B.\n", ":") == [
        {"to": ["ada@example.com"], "variables": {"name": "Ada, B."}}
    ]


def test_the_line_of_excel_names_the_delimiter() -> None:
    rows = read("\ufeffsep=|\r\nto|name\r\na@example.com|A,B;C\r\n")

    assert [(row.line, row.payload) for row in rows] == [(3, {"to": ["a@example.com"], "variables": {"name": "A,B;C"}})]


def test_fields_become_what_the_api_takes_and_other_columns_variables() -> None:
    header = "to,cc,from,subject,tags,unsubscribe,headers,tracking,idempotency_key,plan"
    row = (
        '"ada@example.com; ""Hopper, Grace"" <grace@example.com>, x@example.com",,'
        'shop@example.com,Hello,"news, may",yes,"{""X-A"": ""1""}","{""opens"": false}",k-1,gold'
    )

    assert payloads(f"{header}\n{row}\n") == [
        {
            "to": ["ada@example.com", '"Hopper, Grace" <grace@example.com>', "x@example.com"],
            "from": "shop@example.com",
            "subject": "Hello",
            "tags": ["news", "may"],
            "unsubscribe": True,
            "headers": {"X-A": "1"},
            "tracking": {"opens": False},
            "idempotency_key": "k-1",
            "variables": {"plan": "gold"},
        }
    ]


@pytest.mark.parametrize(
    ("column", "cell", "problem"),
    [
        ("headers", "{", "`headers` is JSON, an object"),
        ("headers", '"[1]"', "`headers` is JSON, an object"),
        ("attachments", "{}", "`attachments` is JSON, a list"),
        ("unsubscribe", "maybe", "`unsubscribe` is true or false"),
        ("idempotency_window_hours", "day", "`idempotency_window_hours` is a whole number"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named_by_its_column(column: str, cell: str, problem: str) -> None:
    [row] = read(f"to,{column}\na@example.com,{cell}\n")

    assert (row.payload, row.problem) == (None, f"{problem}.")


def test_an_empty_variable_is_empty_and_an_empty_field_is_missing() -> None:
    assert payloads("to,subject,name\na@example.com,,\n") == [{"to": ["a@example.com"], "variables": {"name": ""}}]


def test_a_column_of_variables_goes_with_the_others() -> None:
    [payload] = payloads('to,name,variables\na@example.com,Ada,"{""plan"": ""gold""}"\n')

    assert payload == {"to": ["a@example.com"], "variables": {"name": "Ada", "plan": "gold"}}


def test_rows_without_text_are_no_rows() -> None:
    rows = read("\nto,name\n\n,\na@example.com,A\n , \n")

    assert [(row.number, row.line) for row in rows] == [(0, 5)]


def test_a_text_may_have_several_lines() -> None:
    rows = read('to,text\r\na@example.com,"one\r\ntwo"\r\nb@example.com,three\r\n')

    assert [(row.line, row.after.line) for row in rows] == [(2, 3), (4, 4)]
    assert rows[0].payload == {"to": ["a@example.com"], "text": "one\r\ntwo"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("b@example.com", "has 1 columns; the header has 3"),
        ("b@example.com,B,yes,more", "has 4 columns"),
        ("b@example.com,B,perhaps", "`unsubscribe` is true or false"),
        ("b@example.com,B\rB,yes", "a carriage return"),
        ('b@example.com,"B,yes', "a quote that is not closed"),
        ('b@example.com,"B"x,yes', "a quote that is not closed"),
        (b"b@example.com,\xff,yes", "not UTF-8"),
        ("b@example.com," + "x" * 2_000_000 + ",yes", "longer than 1,000,000 bytes"),
    ],
    ids=["short", "long", "boolean", "return", "open-quote", "text-after-quote", "utf8", "large"],
)
@pytest.mark.parametrize("quoted", [False, True], ids=["quotes-follow", "none-follow"])
def test_a_wrong_row_costs_no_other(line: str | bytes, problem: str, quoted: bool) -> None:
    wrong = line.encode() if isinstance(line, str) else line
    last = b'"c@example.com","C","no"' if quoted else b"c@example.com,C,no"

    rows = read(b"to,name,unsubscribe\na@example.com,A,no\n" + wrong + b"\n" + last + b"\n")

    assert [(row.number, row.line) for row in rows] == [(0, 2), (1, 3), (2, 4)]
    assert rows[1].payload is None
    assert problem in (rows[1].problem or "")
    assert [rows[place].payload is None for place in (0, 2)] == [False, False]
    assert "example.com" not in (rows[1].problem or "")
    assert rows[1].raw.startswith("b@example.com") or "longer" in problem


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("email,name\n", "Rename 'email' to 'to'"),
        ("name\tplan\n", "no column 'to'"),
        ("ada@example.com,Ada\n", "put a row of names before it"),
        ("to,name,name\n", "Two columns are called 'name'"),
        ("to,To\n", "Two columns are called 'to'"),
        ("to,,name\n", "Column 2 has no name"),
        ('to,"name\n', "a quote in it is not closed"),
        ("to,name\ra@example.com,A\r", "its lines end in CR alone"),
        (b"to,\xff\n", "not UTF-8"),
        ("to,name".encode("utf-16"), "UTF-16"),
    ],
    ids=[
        "empty", "blank", "email", "other", "no-header", "twice", "case", "unnamed", "quote", "mac", "latin", "wide",
    ],
)  # fmt: skip
def test_a_wrong_header_is_refused_as_a_whole(data: str | bytes, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as refused:
        read(data)

    assert "ada" not in str(refused.value)


# Older versions of Python write carriage returns without quotes, and refuse NUL.
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=12)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(CELLS, CELLS), max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_python_writes_comes_back_and_reading_can_go_on_after_every_row(
    table: list[tuple[str, str]], delimiter: str, end: str, quoting: Any
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([("to", "name", "note"), *(("a@example.com", *cells) for cells in table)])
    data = text.getvalue().encode()

    rows = read(data)

    assert [row.payload for row in rows] == [
        {"to": ["a@example.com"], "variables": {"name": name, "note": note}} for name, note in table
    ]
    file = io.BytesIO(data)
    header = read_table(file, None)
    for row in rows:
        file.seek(row.after.offset)
        assert list(csv_rows(file, header, row.after)) == rows[row.number + 1 :]


@given(st.binary(max_size=200))
def test_any_bytes_after_a_header_are_rows_or_problems(data: bytes) -> None:
    rows = read(b"to,name\n" + data)

    assert all((row.payload is None) != (row.problem is None) for row in rows)
    assert [row.number for row in rows] == list(range(len(rows)))
    assert all(row.after.offset <= len(data) + 8 for row in rows)
    offsets = [Place().offset, *(row.after.offset for row in rows)]
    assert offsets == sorted(set(offsets))
