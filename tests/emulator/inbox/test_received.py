"""Received mail in the inbox: the list, one mail, and the form to write one."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.emulator.inbox.hostile import HTML, SCRIPTS
from tests.emulator.inbox.site import Site, attachment, tags, words
from tests.emulator.inbox.test_hostile import assert_inert

BROWSER = {"Sec-Fetch-Mode": "navigate"}


def receive(site: Site, **changes: Any) -> int:
    mail = {"from": "Ada <ada@customer.test>", "to": "support@shop.test", "subject": "Hi", "text": "Hello", **changes}
    return site.emulator.receive(mail, site.now)[0].number


def multipart(site: Site, body: bytes, boundary: str = "b", **headers: str) -> Any:
    return site.raw_post(
        "/inbox/received/new", body, {"Content-Type": f"multipart/form-data; boundary={boundary}", **headers}
    )


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"


def test_an_empty_list_says_how_mail_comes_in(site: Site) -> None:
    page = site.get("/inbox/received")

    assert "Nothing came in yet" in words(page)
    assert "/_emulator/inbound" in words(page)


def test_the_list_is_newest_first_and_says_what_is_unread(site: Site) -> None:
    receive(site, subject="First", to="support+order-42@shop.test")
    receive(site, subject="Second", attachments=[attachment("a.txt", b"x", "text/plain")])
    page = site.get("/inbox/received")

    assert page.text.index("Second") < page.text.index("First")
    assert "2 mails , 2 unread" in words(page)
    assert "order-42" in words(page)
    assert "1 attachment" in words(page)


def test_a_long_list_has_pages(site: Site) -> None:
    for number in range(51):
        receive(site, subject=f"Mail {number}.")
    first, second = site.get("/inbox/received"), site.get("/inbox/received?page=2")

    assert "1–50 of 51" in words(first)
    assert "Mail 0." not in first.text
    assert "Mail 0." in second.text
    assert site.get("/inbox/received?page=99").text.count('class="open"') == 1
    assert site.get("/inbox/received?page=x").text.count('class="open"') == 50


def test_opening_a_mail_marks_it_as_read(site: Site) -> None:
    number = receive(site)
    site.get(f"/inbox/received/{number}", {"Sec-Fetch-Mode": "cors"})
    assert site.store.inbound_emails.all()[0].unread

    site.get(f"/inbox/received/{number}", BROWSER)
    assert not site.store.inbound_emails.all()[0].unread

    site.post(f"/inbox/received/{number}/unread", unread="1")
    assert site.store.inbound_emails.all()[0].unread


def test_a_mail_is_shown_in_its_views(site: Site) -> None:
    number = receive(
        site,
        html="<p>Rich <b>words</b></p>",
        text="New words\n\nOn Monday somebody wrote:\n> Old words",
        headers={"X-Custom": "custom value"},
        attachments=[attachment("a.png", b"PNG", "image/png")],
    )
    path = f"/inbox/received/{number}"

    assert tags(site.get(path), "iframe")[0]["src"] == f"{path}/frame"
    assert "Old words" in words(site.get(f"{path}?view=text"))
    assert "Old words" not in words(site.get(f"{path}?view=reply"))
    assert "custom value" in words(site.get(f"{path}?view=headers"))
    assert "<p>Rich" in words(site.get(f"{path}?view=source"))
    assert tags(site.get(f"{path}?view=files"), "img")[1]["src"] == f"{path}/files/0/picture"
    assert "<p>Rich <b>words</b></p>" in site.get(f"{path}/frame").text
    assert site.get(f"{path}/files/0").content == b"PNG"
    assert site.get(f"{path}/files/0/picture").headers["content-type"] == "image/png"


def test_a_mail_without_anything_is_shown(site: Site) -> None:
    (email,) = site.emulator.receive(b"To: in@shop.test\n\n", site.now)
    page = site.get(f"/inbox/received/{email.number}")

    assert "(no subject)" in words(page)
    assert "nobody" in words(page)
    assert "(no sender)" in words(site.get("/inbox/received"))


def test_a_spam_verdict_and_deliveries_are_shown(site: Site) -> None:
    site.webhook()
    number = receive(site, subject="ACT NOW!!", text="casino http://10.0.0.1/")
    site.wait(1, 500, "no thanks")
    page = words(site.get(f"/inbox/received/{number}"))

    assert "spam" in page
    assert "email.inbound" in page
    assert "no thanks" in page
    assert f'href="/inbox/received/{number}"' in site.get("/inbox/webhooks").text


def test_a_delivery_is_sent_again_from_the_mail(site: Site) -> None:
    site.webhook()
    number = receive(site)
    site.wait(1, 500)
    (delivery,) = site.store.deliveries_of_inbound(number)
    answer = site.post(f"/inbox/deliveries/{delivery.id}/replay?from=received")

    assert answer.headers["location"] == f"/inbox/received/{number}?done=replayed"
    assert len(site.wait(1)) == 1


def test_neighbours_are_one_key_away(site: Site) -> None:
    numbers = [receive(site) for _ in range(3)]
    page = site.get(f"/inbox/received/{numbers[1]}")
    links = {str(tag["id"]): tag["href"] for tag in tags(page, "a") if tag.get("id") in {"newer", "older"}}

    assert links == {"newer": f"/inbox/received/{numbers[2]}", "older": f"/inbox/received/{numbers[0]}"}


def test_mail_is_deleted_alone_and_all(site: Site) -> None:
    site.webhook()
    first, *_ = [receive(site, attachments=[attachment("a", b"x", "text/plain")]) for _ in range(3)]

    assert site.post(f"/inbox/received/{first}/delete").headers["location"] == "/inbox/received?done=deleted"
    assert (len(site.store.inbound_emails), len(site.store.inbound_files)) == (2, 2)
    assert site.store.deliveries_of_inbound(first) == []
    site.post("/inbox/received/delete-all")
    assert (len(site.store.inbound_emails), len(site.store.inbound_files)) == (0, 0)


@pytest.mark.parametrize("number", ["9", "0", "x", "9" * 5_000, "-1", "%00", "1%2F2"])
@pytest.mark.parametrize("rest", ["", "/frame", "/files/0", "/files/0/picture"])
def test_what_is_not_there_is_404(site: Site, number: str, rest: str) -> None:
    receive(site)

    assert site.get(f"/inbox/received/{number}{rest}").status_code == 404


@pytest.mark.parametrize("rest", ["/unread", "/delete"])
def test_what_is_not_there_cannot_be_changed(site: Site, rest: str) -> None:
    assert site.post(f"/inbox/received/9{rest}").status_code == 404


def test_files_and_frames_that_a_mail_lacks_are_404(site: Site) -> None:
    number = receive(site, attachments=[attachment("a.svg", b"<svg/>", "image/svg+xml")])

    assert site.get(f"/inbox/received/{number}/frame").status_code == 404
    assert site.get(f"/inbox/received/{number}/files/1").status_code == 404
    assert site.get(f"/inbox/received/{number}/files/0/picture").status_code == 404


def test_a_mail_written_in_the_form_comes_in(site: Site) -> None:
    body = (
        part("from", b"Ada <ada@customer.test>")
        + part("to", b"support@shop.test, sales@shop.test")
        + part("subject", "Grüße".encode())
        + part("text", b"One\r\nTwo")
        + part("file", b"\x00\xff", "a.bin")
        + part("file", b"", "")
        + b"--b--\r\n"
    )
    answer = multipart(site, body)
    first, second = site.store.inbound_emails.all()

    assert (answer.status_code, answer.headers["location"]) == (303, f"/inbox/received/{first.number}?done=received")
    assert (first.to_address, second.to_address) == ("support@shop.test", "sales@shop.test")
    assert (first.message.subject, first.message.text) == ("Grüße", "One\nTwo")
    assert [file.attachment.content for file in site.store.inbound_files.all()] == [b"\x00\xff"] * 2


def test_a_form_that_makes_no_sense_comes_back_with_the_reason(site: Site) -> None:
    page = site.post("/inbox/received/new", **{"from": "nobody", "to": "support@shop.test", "text": "kept <b>"})

    assert page.status_code == 422
    assert "holds an invalid address" in words(page)
    assert "kept <b>" in words(page)
    assert len(site.store.inbound_emails) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b",
        b"\r\n\r\n--x--",
        part("from", b"x" * 2_000_000) + b"--b--\r\n",
        b"".join(part("file", b"x", "f") for _ in range(11)) + b"--b--\r\n",
        b"".join(part(f"f{number}", b"x") for number in range(30)) + b"--b--\r\n",
        part("from", b"\xff\xfe") + part("subject", b"a\r\nb") + b"--b--\r\n",
    ],
)
def test_a_broken_form_is_refused(site: Site, body: bytes) -> None:
    assert multipart(site, body).status_code == 422
    assert multipart(site, body, boundary="").status_code in {422, 400}
    assert len(site.store.inbound_emails) == 0


def test_a_form_that_is_too_large_is_refused() -> None:
    from poststack.emulator.settings import Settings

    site = Site(Settings(max_body=1_000))
    page = multipart(site, part("file", b"x" * 2_000, "f") + b"--b--\r\n")

    assert page.status_code == 422
    assert "larger than 1000 bytes" in words(page)


def test_the_answer_to_a_sent_message_is_filled_in(site: Site) -> None:
    email_id = site.send(**{"from": "Shop <shop@example.com>"}, reply_to="desk@example.com", subject="Order &1")
    link = next(tag["href"] for tag in tags(site.get(f"/inbox/mail/{email_id}"), "a") if tag.get("id") == "answer")
    form = {tag["name"]: tag.get("value") for tag in tags(site.get(str(link)), "input")}

    assert form["from"] == "ada@example.com"
    assert form["to"] == "desk@example.com"
    assert form["subject"] == "Re: Order &1"


@pytest.mark.parametrize("script", SCRIPTS)
def test_hostile_mail_is_inert_on_every_page(site: Site, script: str) -> None:
    site.webhook()
    encoded = base64.b64encode(script.encode("utf-8", "surrogatepass")).decode()
    word = f"=?utf-8?b?{encoded}?="
    raw = (
        f"From: {word} <{script}>\nTo: {word} <in+{script}@shop.test>\nCc: {script}\nReply-To: {script}\n"
        f"Subject: {word}\nMessage-ID: <{script}>\nX-{script}: {word}\n"
        f"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n{script}\n--b\n\n{script}\n"
        f'--b\nContent-Type: image/svg+xml; name="{word}"\nContent-ID: <{script}>\n\n{script}\n--b--\n'
    ).encode("utf-8", "surrogatepass")
    (email,) = site.emulator.receive(raw, site.now, recipients=["in@shop.test"])
    site.wait(5, 500, script)
    form = dict.fromkeys(("from", "to", "subject", "text"), script)
    query = urlencode({**form, "view": script, "page": script})
    pages = [
        site.get(f"/inbox/received?{query}"),
        site.get(f"/inbox/received/new?{query}"),
        site.get("/inbox/webhooks"),
    ]
    for view in ("html", "text", "reply", "headers", "source", "files", script):
        pages.append(site.get(f"/inbox/received/{email.number}?{urlencode({'view': view})}"))
    pages.append(site.post("/inbox/received/new", **form))

    for page in pages:
        assert_inert(page)


def test_the_frame_of_a_mail_can_do_nothing(site: Site) -> None:
    number = receive(site, html=HTML.format(elsewhere="http://127.0.0.1:9"))
    frame = site.get(f"/inbox/received/{number}/frame")

    assert "sandbox" in frame.headers["content-security-policy"]
    assert "default-src 'none'" in frame.headers["content-security-policy"]
    assert "<link" not in frame.text
    assert "<iframe" not in frame.text


def test_a_file_never_leaves_as_something_that_runs(site: Site) -> None:
    number = receive(site, attachments=[attachment('"\u202e<script>.html', b"<script>1</script>", "text/html")])
    for answer in (site.get(f"/inbox/received/{number}/files/0"), site.api_raw(f"/inbound/{number}/attachments/1")):
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith('attachment; filename="')
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_pages_of_others_change_nothing(site: Site, headers: dict[str, str]) -> None:
    number = receive(site)
    for address in (
        "/inbox/received/new",
        "/inbox/received/delete-all",
        f"/inbox/received/{number}/delete",
        f"/inbox/received/{number}/unread",
        "/_emulator/inbound",
    ):
        form = {"from": "a@b.test", "to": "c@d.test", "unread": "0"}
        assert site.post(address, headers, **form).status_code == 403

    assert [email.unread for email in site.store.inbound_emails.all()] == [True]
