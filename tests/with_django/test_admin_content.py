"""The stored content of an e-mail: shown to those who may, in a document that can do nothing."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission, User

from poststack_django.models import EmailContent, SentEmail
from poststack_django.preview import FRAME_HEADERS, document, files_of, has_remote_content
from tests.with_django.emulated import send

if TYPE_CHECKING:
    from django.test import Client

    from poststack.testing import EmulatorSession
    from poststack.types import Attachment, SendEmail

pytestmark = pytest.mark.django_db

LIST = "/admin/poststack/sentemail/"


def stored(**changes: Any) -> SentEmail:
    email = send(html="<p>Hello</p>")
    content = EmailContent.objects.get(pk=email.pk)
    content.payload = json.dumps({**json.loads(content.payload), **changes})
    content.save()
    return email


def picture(content_type: str = "image/png", content: str = "iVBORw0KGgo=") -> Attachment:
    return {"filename": "logo.png", "content": content, "content_type": content_type, "content_id": "logo@x"}


def test_content_is_shown(admin_client: Client, emu: EmulatorSession) -> None:
    email = stored(
        text="Dear <Ada>",
        html='<p>Hi</p><img src="https://example.com/x.png">',
        attachments=[picture(), {"filename": "<i>.pdf", "content": base64.b64encode(b"x" * 2048).decode()}],
        idempotency_key="secret-key",
    )
    assert "/content/" in admin_client.get(f"{LIST}{email.pk}/change/").content.decode()
    page = admin_client.get(f"{LIST}{email.pk}/content/").content.decode()

    assert f'src="{LIST}{email.pk}/content/frame/"' in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert "Dear &lt;Ada&gt;" in page
    assert "&lt;i&gt;.pdf" in page
    assert "2.0" in page
    assert "Remote pictures are not loaded" in page
    assert "secret-key" not in page


def test_the_frame_has_headers_that_disarm_it(admin_client: Client, emu: EmulatorSession) -> None:
    frame = admin_client.get(f"{LIST}{stored().pk}/content/frame/")

    assert frame.content == b"<p>Hello</p>"
    assert {name: frame[name] for name in FRAME_HEADERS} == {**FRAME_HEADERS, "Cache-Control": frame["Cache-Control"]}
    assert "no-store" in frame["Cache-Control"]
    assert "default-src 'none'" in frame["Content-Security-Policy"]
    assert "allow-scripts" not in frame["Content-Security-Policy"]


def test_a_template_is_named(admin_client: Client, emu: EmulatorSession) -> None:
    email = stored(template_id="tmpl_1", html="", text="")
    page = admin_client.get(f"{LIST}{email.pk}/content/").content.decode()
    assert "tmpl_1" in page
    assert "<iframe" not in page


@pytest.mark.parametrize("page", ["content", "content/frame"])
def test_reading_content_needs_its_permission(client: Client, emu: EmulatorSession, page: str) -> None:
    email = stored()
    user = User.objects.create_user("clerk", is_staff=True)
    client.force_login(user)
    user.user_permissions.add(Permission.objects.get(codename="view_sentemail"))
    assert client.get(f"{LIST}{email.pk}/{page}/").status_code == 403
    assert "/content/" not in client.get(f"{LIST}{email.pk}/change/").content.decode()
    user.user_permissions.add(Permission.objects.get(codename="view_content_sentemail"))
    assert client.get(f"{LIST}{email.pk}/{page}/").status_code == 200
    assert client.post(f"{LIST}{email.pk}/{page}/").status_code == 405
    user.user_permissions.remove(Permission.objects.get(codename="view_sentemail"))
    assert client.get(f"{LIST}{email.pk}/{page}/").status_code == 403


def test_what_is_not_stored_cannot_be_shown(admin_client: Client, emu: EmulatorSession, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "STORE_BODIES": False}
    email = send()
    assert admin_client.get(f"{LIST}{email.pk}/content/").status_code == 404
    assert admin_client.get(f"{LIST}{email.pk + 1}/content/").status_code == 404
    assert "/content/" not in admin_client.get(f"{LIST}{email.pk}/change/").content.decode()


# The document


def test_inline_pictures_are_put_in() -> None:
    shown = document('<img src="cid:logo@x"><img src=cid:logo%40x><p>cid:logo@x</p>', [picture()])
    assert shown == (
        b'<img src="data:image/png;base64,iVBORw0KGgo="><img src=data:image/png;base64,iVBORw0KGgo=><p>cid:logo@x</p>'
    )


@pytest.mark.parametrize(
    "file", [picture("text/html"), picture('image/png"><script>'), picture(content="&&&"), picture("image/svg+xml;x")]
)
def test_only_pictures_are_put_in(file: Attachment) -> None:
    shown = document('<img src="cid:logo@x">', [file])
    assert b"<script" not in shown
    assert b"text/html" not in shown
    assert b"&&&" not in shown


def test_what_connects_ahead_of_time_is_neutralised() -> None:
    for tag in ("link", "IFRAME", "frame", "object", "embed", "portal", "fencedframe"):
        assert document(f"<{tag} href=//x>").startswith(f"<x-{tag}".encode())
    assert document("<linked>") == b"<linked>"


def test_links_open_elsewhere() -> None:
    assert document('<a href="https://x">') == b'<a target="_blank" rel="noopener noreferrer" href="https://x">'
    assert document('<a href="#part">') == b'<a href="#part">'


def test_halves_of_surrogate_pairs_are_replaced() -> None:
    assert document("\ud800é") == "?é".encode()


def test_sizes_are_those_of_the_files() -> None:
    for size in range(5):
        content = base64.b64encode(b"x" * size).decode()
        payload: SendEmail = {"from": "", "to": [], "attachments": [{"filename": "f", "content": content}]}
        assert files_of(payload)[0].size == size


def test_remote_content_is_noticed() -> None:
    assert has_remote_content('<img src="https://example.com/x">')
    assert not has_remote_content('<a href="https://example.com/x"><img src="cid:x">')
