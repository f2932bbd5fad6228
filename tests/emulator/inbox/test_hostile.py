"""Mail from an attacker: whatever stands in its fields, pages show it as text."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import httpx
import pytest

from tests.emulator.inbox.hostile import SCRIPTS, hostile_email
from tests.emulator.inbox.site import Site, names, tags

OWN_TAGS = frozenset(
    re.findall(
        r"\w+",
        """
        a article aside bdi body button circle code dd details dialog div dl dt fieldset form h1 h2 h3 head
        header html iframe img input kbd label legend li link main meta nav ol option p path pre rect script
        section select span strong summary svg table tbody td textarea th thead time title tr ul
        """,
    )
)


def assert_inert(page: httpx.Response) -> None:
    assert page.status_code in {200, 404, 409, 422}
    assert names(page) <= OWN_TAGS
    (script,) = tags(page, "script")
    assert str(script["src"]).startswith("/inbox/static/inbox.js?v=")
    for tag in tags(page):
        assert not [name for name in tag if name.startswith("on") or name in {"style", "srcdoc"}]
        for name in ("href", "src", "action"):
            assert tag.get(name, "/").startswith(("/", "#"))  # type: ignore[union-attr]  # attributes with a value
            assert not str(tag.get(name, "/")).startswith("//")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';")
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.unmeasured
@pytest.mark.parametrize("script", SCRIPTS)
def test_hostile_fields_are_inert_on_every_page(site: Site, script: str) -> None:
    site.emulator.add_webhook("http://127.0.0.1:9/?" + urlencode({"q": script}), ["*"], site.now)
    site.api("PATCH", "/webhooks/1", {"description": script})
    email = hostile_email(script)
    site.store.add_email(email)
    email_id = email.id
    site.emulator.simulate(email_id, "opened", site.now, metadata={script: script}, person={"city": script})
    site.wait(5, 500, script)
    site.wait(60, None, script)
    query = urlencode(
        {"q": script, "show": script, "page": script, "view": script, "done": script, "broadcast": script}
    )
    pages = [
        site.get(path)
        for path in (
            "/inbox/",
            f"/inbox/?{query}",
            f"/inbox/mail/{email_id}?{query}",
            *(f"/inbox/mail/{email_id}?view={view}" for view in ("html", "text", "headers", "source", "raw", "files")),
            "/inbox/webhooks",
            f"/inbox/webhooks?{query}",
            "/inbox/" + urlencode({"": script})[1:],
        )
    ]
    pages.append(site.post("/inbox/faults", kind=script, status=script, path=script))
    pages.append(site.post(f"/inbox/mail/{email_id}/simulate", event=script, recipient=script))

    for page in pages:
        assert_inert(page)
    assert f"q={urlencode({'': script})[1:]}" in pages[2].text


def test_text_that_turns_around_is_made_visible(site: Site) -> None:
    site.send(subject="invoice \u202egpj.exe", tags=["a\u200bb"])
    page = site.get("/inbox/")

    assert not re.search("[\u202e\u200b]", page.text)
    assert "invoice \ufffdgpj.exe" in page.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_pages_of_others_change_nothing(site: Site, headers: dict[str, str]) -> None:
    site.webhook()
    email_id = site.send()
    site.wait(5)
    attempts = sum(len(delivery.attempts) for delivery in site.store.deliveries_of_email(email_id))
    for address in (
        "/inbox/delete-all",
        "/inbox/read-all",
        f"/inbox/mail/{email_id}/delete",
        f"/inbox/mail/{email_id}/unread",
        f"/inbox/mail/{email_id}/simulate",
        "/inbox/deliveries/1/replay",
        "/inbox/webhooks/1/replay",
        "/inbox/faults",
    ):
        answer = site.post(address, headers, event="opened", unread="0", kind="reset")

        assert answer.status_code == 403
    site.wait(5)
    assert (site.store.total, site.store.unread, site.emulator.faults()) == (1, 1, [])
    assert sum(len(delivery.attempts) for delivery in site.store.deliveries_of_email(email_id)) == attempts


def test_our_own_forms_are_let_in(site: Site) -> None:
    site.send()
    own = {"Origin": "http://127.0.0.1:8025", "Sec-Fetch-Site": "same-origin"}

    assert site.post("/inbox/delete-all", own).status_code == 303
    assert site.store.total == 0


def test_nothing_is_changed_by_getting_a_page(site: Site) -> None:
    email_id = site.send()
    for address in ("/inbox/delete-all", f"/inbox/mail/{email_id}/delete", "/inbox/faults/clear"):
        site.get(address)

    assert site.store.total == 1


def test_static_files_are_named_ones_only(site: Site) -> None:
    script = site.get("/inbox/static/inbox.js?v=1")
    icon = site.get("/inbox/static/icon.svg")

    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "max-age=31536000, immutable"
    assert icon.headers["cache-control"] == "no-cache"
    assert site.get("/inbox/static/..%2fpages.py").status_code == 404
    assert site.get("/inbox/static/pages.py").status_code == 404
