"""Forms with files, read by a parser that is not ours."""

from __future__ import annotations

import pytest

from poststack.providers._multipart import FormFile, multipart
from tests.providers.fakes.forms import parts_of


def test_fields_and_files_come_out_as_they_went_in() -> None:
    fields = [("to", "Ada <ada@example.net>"), ("to", "Bob <bob@example.net>"), ("text", "Grüße\r\n\r\n--x\r\n✉")]
    content = bytes(range(256)) * 500
    kind, body = multipart(fields, [FormFile("attachment", "Grüße 北京.pdf", "application/pdf", content)])
    parts = parts_of(kind, body)
    assert [(part.name, part.text) for part in parts[:3]] == fields
    assert [part.filename for part in parts] == [None, None, None, "Grüße 北京.pdf"]
    assert (parts[3].name, parts[3].content_type, parts[3].content) == ("attachment", "application/pdf", content)


@pytest.mark.parametrize(
    ("name", "written"), [('a"b.pdf', b"a%22b.pdf"), ("a\r\nX-Evil: 1.pdf", b"a%0D%0AX-Evil: 1.pdf")]
)
def test_names_cannot_leave_their_quotation_marks(name: str, written: bytes) -> None:
    kind, body = multipart([(name, "value")], [FormFile("attachment", name, "text/plain", b"x")])
    parts = parts_of(kind, body)
    assert [part.name for part in parts] == [written.decode(), "attachment"]
    assert parts[1].filename == written.decode()
    assert body.count(written) == 2


def test_a_form_without_anything_is_a_form() -> None:
    kind, body = multipart([])
    assert parts_of(kind, body) == []


def test_every_form_has_a_boundary_of_its_own() -> None:
    assert multipart([])[0] != multipart([])[0]


def test_a_file_shows_no_content() -> None:
    assert repr(FormFile("attachment", "secret.txt", "text/plain", b"secret")) == "FormFile('attachment', 6 bytes)"
