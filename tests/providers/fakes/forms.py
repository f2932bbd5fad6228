"""Reads multipart/form-data with a parser that is not ours."""

from __future__ import annotations

from dataclasses import dataclass

from python_multipart.multipart import MultipartParser, parse_options_header


@dataclass
class Part:
    """One part of a form. `filename` is `None` where none was given."""

    name: str
    filename: str | None
    content_type: str
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


def parts_of(content_type: str, body: bytes) -> list[Part]:
    """Return the parts in order. Raises `ValueError` for what is no such form, also one without its end."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise ValueError(f"{content_type} is no form with files.")
    reader = _Reader()
    callbacks = {
        "on_part_begin": reader.begin,
        "on_header_field": reader.field,
        "on_header_value": reader.value,
        "on_header_end": reader.end_header,
        "on_part_data": reader.data,
        "on_part_end": reader.end,
        "on_end": reader.finish,
    }
    parser = MultipartParser(options[b"boundary"], callbacks)  # type: ignore[arg-type]  # a TypedDict of the same names
    parser.write(body)
    parser.finalize()
    if not reader.finished:
        raise ValueError("The form has no end.")
    return reader.parts


class _Reader:
    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.finished = False
        self._headers: dict[str, bytes] = {}
        self._name = b""
        self._value = b""
        self._content: list[bytes] = []

    def begin(self) -> None:
        self._headers, self._content = {}, []

    def field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def end_header(self) -> None:
        self._headers[self._name.decode().lower()] = self._value
        self._name = self._value = b""

    def data(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def end(self) -> None:
        disposition, options = parse_options_header(self._headers["content-disposition"])
        if disposition != b"form-data":
            raise ValueError("A part is no form data.")
        filename = options.get(b"filename")
        self.parts.append(
            Part(
                options[b"name"].decode(),
                None if filename is None else filename.decode(),
                self._headers.get("content-type", b"text/plain").decode(),
                b"".join(self._content),
            )
        )

    def finish(self) -> None:
        self.finished = True
