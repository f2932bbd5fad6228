"""What the pages say about where an e-mail comes from, and when a scheduled one leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from poststack.emulator.journal import SqliteJournal
from poststack.emulator.model import iso
from tests.emulator.app import App
from tests.emulator.inbox.site import Site, listed, tags, words

AB_TEST = {
    "variants": [{"name": name, "subject": f"Subject {name}", "html": name, "weight": 50} for name in ("Red", "Blue")],
    "test_sample_size": 50,
}


def readers(site: Site) -> str:
    contacts = [
        site.api("POST", "/contacts", {"email": f"{name}@example.com"})["contact"]["publicId"]
        for name in ("ada", "bob")
    ]
    segment: str = site.api("POST", "/segments", {"name": "Readers"})["segment"]["publicId"]
    site.api("POST", f"/segments/{segment}/contacts", {"contact_ids": contacts})
    return segment


@pytest.fixture
def broadcast(site: Site) -> str:
    """A broadcast in two variants that went to two people, and to a third one as a test; and an e-mail beside it."""
    content = {"segment_id": readers(site), "from": "a@example.com", "subject": "News", "text": "Hello"}
    answer = site.api("POST", "/broadcasts", {**content, "name": "Spring <b>news</b>", "ab_test": AB_TEST})
    found: str = answer["broadcast"]["publicId"]
    site.api("POST", f"/broadcasts/{found}/test", {"email": "me@example.com"})
    site.api("POST", f"/broadcasts/{found}/send")
    site.wait(3 * 3_600)
    site.send(subject="Beside it")
    return found


def received(site: Site) -> int:
    mail = {"from": "Ada <ada@example.com>", "to": "desk@example.com", "subject": "Question", "text": "Why?"}
    (email,) = site.emulator.receive(mail, site.now)
    return email.number


def links(site: Site, path: str) -> list[str]:
    return [str(tag.get("href")) for tag in tags(site.get(path), "a")]


def test_the_list_marks_emails_of_a_broadcast(site: Site, broadcast: str) -> None:
    page = site.get("/inbox/")

    marks = [tag["title"] for tag in tags(page, "bdi") if tag.get("class") == "tag broadcast"]
    assert marks == ["Broadcast Spring <b>news</b>"] * 2 + ["Test of broadcast Spring <b>news</b>"]
    assert "Test of Spring <b>news</b>" in words(page)


def test_an_email_names_its_broadcast_and_variant(site: Site, broadcast: str) -> None:
    tested, *sent, beside = site.store.accepted()

    for email in sent:
        variant = email.message.subject.removeprefix("Subject ")
        page = site.get(f"/inbox/mail/{email.id}")
        assert f"Part of broadcast Spring <b>news</b> · variant {variant}" in words(page)
        assert f"/inbox/?broadcast={broadcast}" in links(site, f"/inbox/mail/{email.id}")
    assert "Test of broadcast Spring <b>news</b> HTML" in words(site.get(f"/inbox/mail/{tested.id}"))
    assert "broadcast" not in words(site.get(f"/inbox/mail/{beside.id}")).replace("broadcast:", "")


def test_the_list_shows_the_emails_of_one_broadcast(site: Site, broadcast: str) -> None:
    *of_it, _ = (email.id for email in site.store.accepted())
    (segment,) = site.store.segments.all()
    content = {"segment_id": segment.id, "from": "a@example.com", "subject": "Other", "text": "Hello"}
    other = site.api("POST", "/broadcasts", content)["broadcast"]["publicId"]
    site.api("POST", f"/broadcasts/{other}/test", {"email": "me@example.com"})
    redirected = site.get(f"/inbox?broadcast={broadcast}")
    page = site.get(redirected.headers["location"])

    assert sorted(listed(page)) == sorted(of_it)
    assert "3 matches in 5 messages · broadcast Spring <b>news</b> · Show all" in words(page)
    assert listed(site.get(f"/inbox/?q=broadcast:{broadcast}+to:me@example.com")) == [of_it[0]]
    assert f"/inbox/mail/{of_it[0]}?broadcast={broadcast}" in links(site, f"/inbox/?broadcast={broadcast}")
    assert {"type": "hidden", "name": "broadcast", "value": broadcast} in tags(page, "input")


def test_emails_of_a_broadcast_that_is_forgotten_go_by_its_id(site: Site) -> None:
    content = {"segment_id": readers(site), "from": "a@example.com", "subject": "News", "text": "Hello"}
    broadcast = site.api("POST", "/broadcasts", content)["broadcast"]["publicId"]
    site.api("POST", f"/broadcasts/{broadcast}/test", {"email": "me@example.com"})
    (made_room,) = site.store.broadcasts.all()
    site.store.broadcasts.remove(made_room)
    (email,) = site.store.accepted()

    assert f"Test of broadcast {broadcast}" in words(site.get(f"/inbox/mail/{email.id}"))
    assert f"Test of {broadcast}" in words(site.get("/inbox/"))
    assert "No message matches in broadcast br_unknown ." in words(site.get("/inbox/?broadcast=br_unknown"))


def test_a_scheduled_email_says_when_it_leaves_until_it_has_left(site: Site) -> None:
    site.send(scheduled_at=iso(site.now + 7_500))
    before = words(site.get("/inbox/"))
    site.wait(8_000)

    assert "leaves in 2 h scheduled" in before
    assert "leaves" not in words(site.get("/inbox/"))


def test_a_received_mail_and_its_replies_link_to_each_other(site: Site) -> None:
    number = received(site)
    path = f"/inbox/received/{number}"
    before = words(site.get(path))
    reply = site.api("POST", f"/inbound/{number}/reply", {"from": "desk@example.com", "text": "So."})["id"]
    forward = site.api("POST", f"/inbound/{number}/forward", {"from": "desk@example.com", "to": ["boss@example.com"]})
    after = words(site.get(path))

    assert "Replies and forwards None." in before
    assert "Reply to ada@example.com just now Forward to boss@example.com just now" in after
    assert {f"/inbox/mail/{reply}", f"/inbox/mail/{forward['id']}"} <= set(links(site, path))
    for email_id, word in ((reply, "Answers"), (forward["id"], "Forwards")):
        assert f"{word} received mail {number}" in words(site.get(f"/inbox/mail/{email_id}"))
        assert path in links(site, f"/inbox/mail/{email_id}")


def test_a_reply_to_a_deleted_mail_has_no_dead_link(site: Site) -> None:
    number = received(site)
    reply = site.api("POST", f"/inbound/{number}/reply", {"from": "desk@example.com", "text": "So."})["id"]
    site.post(f"/inbox/received/{number}/delete")

    assert f"Answers received mail {number} (deleted)" in words(site.get(f"/inbox/mail/{reply}"))
    assert f"/inbox/received/{number}" not in links(site, f"/inbox/mail/{reply}")


def test_what_a_reply_answers_outlives_a_restart(tmp_path: Path) -> None:
    app = App(journal=SqliteJournal(tmp_path / "file"))
    mail = {"from": "Ada <ada@example.com>", "to": "desk@example.com", "subject": "Question", "text": "Why?"}
    (question,) = app.emulator.receive(mail, app.now)
    for path, content in (("reply", {"text": "So."}), ("forward", {"to": ["boss@example.com"]})):
        app.post(f"/inbound/{question.number}/{path}", {"from": "desk@example.com", **content})
    app.emulator.close()

    again = App(journal=SqliteJournal(tmp_path / "file"))
    reply, forward = again.emulator.store.accepted()
    assert (reply.reply_to_inbound, reply.forward_of_inbound) == (question.number, None)
    assert (forward.reply_to_inbound, forward.forward_of_inbound) == (None, question.number)
    again.emulator.close()
