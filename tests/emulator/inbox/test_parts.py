"""What leaves the page of a message on its own: the framed HTML and the attachments."""

from __future__ import annotations

import base64

import pytest

from poststack.emulator.downloads import safe_name
from poststack.emulator.inbox.frame import document, remote_content
from poststack.emulator.model import Attachment
from tests.emulator.inbox.site import Site, attachment

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def framed(site: Site, html: str, query: str = "", **more: object) -> tuple[str, str]:
    answer = site.get(f"/inbox/mail/{site.send(html=html, **more)}/frame{query}")
    return answer.text, answer.headers["content-security-policy"]


def test_the_frame_may_run_nothing_and_reach_nothing(site: Site) -> None:
    text, policy = framed(site, "<p>Hello</p><script>alert(1)</script>")

    assert text == "<p>Hello</p><script>alert(1)</script>"
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:;")
    assert policy.endswith("sandbox allow-popups allow-popups-to-escape-sandbox")
    assert "script-src" not in policy


def test_remote_pictures_come_only_when_asked_for(site: Site) -> None:
    html = '<img src="https://cdn.example/a.png">'
    email_id = site.send(html=html)
    blocked = site.get(f"/inbox/mail/{email_id}")
    allowed = site.get(f"/inbox/mail/{email_id}?images=1")
    _, policy = framed(site, html, "?images=1")

    assert "Remote images are blocked." in blocked.text
    assert f'src="/inbox/mail/{email_id}/frame"' in blocked.text
    assert "Remote images are loaded." in allowed.text
    assert f'src="/inbox/mail/{email_id}/frame?images=1"' in allowed.text
    assert "img-src data: https: http:;" in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize(
    ("html", "remote"),
    [
        ("<img src=http://a.example/x>", True),
        ("<td background='//a.example/x'>", True),
        ("<style>p{background:url( 'https://a.example/x')}</style>", True),
        ("<a href='https://a.example'>link</a>", False),
        ("<img src='cid:a'><img src='data:image/png;base64,AA'>", False),
    ],
)
def test_it_is_known_whether_a_mail_asks_for_remote_pictures(html: str, remote: bool) -> None:
    assert remote_content(html) is remote


def test_inline_pictures_come_along_as_data(site: Site) -> None:
    text, _ = framed(
        site,
        '<img src="cid:logo@shop"><td background=CID:logo%40shop style="background: url(cid:logo@shop)">'
        '<img src="cid:other">',
        attachments=[attachment("logo.png", PNG, "image/png", "logo@shop")],
    )
    data = "data:image/png;base64," + base64.b64encode(PNG).decode()

    assert text == f'<img src="{data}"><td background={data} style="background: url({data})"><img src="cid:other">'


def test_what_is_no_picture_is_not_put_in() -> None:
    page = Attachment("a.html", b"<script>", "text/html", "a")
    odd = Attachment("b.png", b"x", 'image/png" onload="alert(1)', "b")

    assert document('<img src="cid:a"><img src="cid:b">', [page, odd]) == '<img src="cid:a"><img src="cid:b">'


def test_a_picture_named_very_often_stays_within_bounds() -> None:
    large = Attachment("a.png", bytes(5_000_000), "image/png", "a")
    text = document('<img src="cid:a">' * 1_000, [large])

    assert len(text) < 40 * 1024 * 1024
    assert '<img src="cid:a">' in text


def test_links_open_elsewhere_and_connections_ahead_of_time_are_taken_out(site: Site) -> None:
    text, _ = framed(site, "<LINK rel=preconnect href=//a.example><a href='/x' target=_top>x</a><area/href=y><article>")

    assert text == (
        "<x-LINK rel=preconnect href=//a.example>"
        '<a target="_blank" rel="noopener noreferrer" href=\'/x\' target=_top>x</a>'
        '<area target="_blank" rel="noopener noreferrer"/href=y><article>'
    )


def test_links_within_the_mail_stay_in_it() -> None:
    html = "<a href=#top>up</a><a class=x href='#b'>b</a><a data-href=# href=/c>c</a><a>none</a>"
    elsewhere = ' target="_blank" rel="noopener noreferrer"'

    assert document(html, []) == (
        f"<a href=#top>up</a><a class=x href='#b'>b</a><a{elsewhere} data-href=# href=/c>c</a><a{elsewhere}>none</a>"
    )


@pytest.mark.parametrize("tag", ["iframe", "FRAME\n", "object/", "embed", "portal", "fencedframe", "link\x0c"])
def test_what_connects_by_itself_is_no_longer_that(tag: str) -> None:
    assert document(f"<{tag} src=//a.example>", []) == f"<x-{tag} src=//a.example>"


def test_a_message_without_html_has_no_frame(site: Site) -> None:
    assert site.get(f"/inbox/mail/{site.send()}/frame").status_code == 404


def downloaded(
    site: Site, name: str, content_type: str, content: bytes = PNG, part: str = ""
) -> tuple[bytes, dict[str, str]]:
    email_id = site.send(attachments=[attachment(name, content, content_type)])
    answer = site.get(f"/inbox/mail/{email_id}/files/0{part}")
    return answer.content, {"status": str(answer.status_code), **answer.headers}


def test_an_attachment_is_downloaded_byte_for_byte(site: Site) -> None:
    content, headers = downloaded(site, "Übersicht 100%.pdf", "application/pdf; x=y")

    assert content == PNG
    assert headers["content-type"] == "application/pdf"
    assert headers["content-disposition"] == (
        "attachment; filename=\"_bersicht 100_.pdf\"; filename*=UTF-8''%C3%9Cbersicht%20100%25.pdf"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "image/svg+xml",
        "text/xml",
        "application/xhtml+xml",
        "text/javascript",
        "multipart/related",
    ],
)
def test_what_a_browser_could_run_goes_out_as_bytes(site: Site, content_type: str) -> None:
    content, headers = downloaded(site, "page.html", content_type, b"<script>alert(1)</script>")
    _, picture = downloaded(site, "page.html", content_type, part="/picture")

    assert content == b"<script>alert(1)</script>"
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith("attachment")
    assert picture["status"] == "404"


@pytest.mark.parametrize("content_type", ["image/png", "audio/mpeg", "application/vnd.ms-excel", "text/csv"])
def test_harmless_kinds_keep_their_type(site: Site, content_type: str) -> None:
    assert downloaded(site, "a", content_type)[1]["content-type"].partition(";")[0] == content_type


def test_pixels_are_shown_in_the_page(site: Site) -> None:
    content, headers = downloaded(site, "a.png", "IMAGE/PNG", part="/picture")

    assert content == PNG
    assert headers["content-type"] == "image/png"
    assert headers["content-disposition"] == "inline"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_an_attachment_that_does_not_exist_is_not_found(site: Site) -> None:
    email_id = site.send()

    assert site.get(f"/inbox/mail/{email_id}/files/0").status_code == 404
    assert site.get(f"/inbox/mail/{email_id}/files/-1").status_code == 404


@pytest.mark.parametrize(
    ("given", "saved"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.exe", "a.exe"),
        ("a\r\nSet-Cookie: x=1", "a__Set-Cookie_ x=1"),
        ('"quoted".txt', "_quoted_.txt"),
        ("cod\u202egpj.exe", "cod_gpj.exe"),
        (" .hidden. ", "hidden"),
        ("///", "attachment"),
        ("", "attachment"),
        ("x" * 300 + ".pdf", "x" * 146 + ".pdf"),
        ("x" * 300, "x" * 150),
        ("a." + "y" * 200, "a." + "y" * 148),
    ],
)
def test_a_name_fits_any_file_system(given: str, saved: str) -> None:
    assert safe_name(given) == saved
