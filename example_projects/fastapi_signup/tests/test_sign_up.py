"""Signing up, confirming, and the two letters about it."""

from __future__ import annotations

import pytest

from example_projects.fastapi_signup.tests.walks import URL, Walks


def test_a_visitor_is_asked_whether_the_address_is_theirs(walks: Walks) -> None:
    page = walks.sign_up()

    (letter,) = walks.post.sent
    assert (letter.to, letter.subject) == (["ada@example.com"], "Is this your address?")
    assert "Hello Ada" in (letter.html or "")
    assert "Thank you, Ada" in page
    assert 'data-kind="confirm" data-status="accepted"' in page


def test_the_page_shows_what_has_become_of_the_letter(walks: Walks) -> None:
    walks.sign_up()
    page = walks.rows("SELECT page_token FROM sign_ups")[0][0]
    walks.deliver()

    assert 'data-status="delivered"' in walks.browser.get(f"/sign-ups/{page}").text


def test_a_letter_that_came_back_asks_for_another_address(walks: Walks) -> None:
    walks.sign_up(email="bounce@example.com")
    page = walks.rows("SELECT page_token FROM sign_ups")[0][0]
    walks.deliver()

    text = walks.browser.get(f"/sign-ups/{page}").text
    assert 'data-status="bounced"' in text
    assert "Check the spelling" in text


def test_opening_the_link_confirms_nothing(walks: Walks) -> None:
    walks.sign_up()
    page = walks.browser.get(walks.confirm_link()).text

    assert "Yes, write to me" in page
    assert walks.rows("SELECT confirmed_at FROM sign_ups") == [(None,)]


def test_pressing_the_button_twice_sends_one_letter_of_welcome(walks: Walks) -> None:
    walks.sign_up()
    link = walks.confirm_link()
    first, second = walks.browser.post(link), walks.browser.post(link)

    assert [letter.subject for letter in walks.post.sent] == ["Is this your address?", "Welcome to the Lantern Walks"]
    assert "You are on the list" in first.text
    assert second.url == first.url
    assert "You are on the list" in walks.browser.get(link).text


@pytest.mark.parametrize(
    ("name", "email", "said"),
    [
        ("", "ada@example.com", "Please tell us your name."),
        ("x" * 61, "ada@example.com", "at most 60"),
        ("Ada\r\nBcc: eve@example.com", "ada@example.com", "without"),
        ("Win at https://evil.example", "ada@example.com", "without"),
        ("Ada", "nobody", "does not look like"),
        ("Ada", "ada@example.com\r\nBcc: eve@example.com", "does not look like"),
        ("Ada", "", "does not look like"),
    ],
)
def test_a_form_that_is_wrong_comes_back_with_what_is_wrong(walks: Walks, name: str, email: str, said: str) -> None:
    answer = walks.browser.post("/sign-up", data={"name": name, "email": email})

    assert answer.status_code == 422
    assert said in answer.text
    assert walks.rows("SELECT * FROM sign_ups") == []
    assert not walks.post.sent


def test_what_people_write_is_text_everywhere(walks: Walks) -> None:
    page = walks.sign_up(name="Ada & 'Co' \"x\"")

    assert "Thank you, Ada &amp; &#39;Co&#39; &#34;x&#34;" in page
    assert "Hello Ada &amp; &#39;Co&#39;" in (walks.post.sent[0].html or "")
    assert "Hello Ada & 'Co'" in (walks.post.sent[0].text or "")


def test_a_form_of_another_site_is_refused(walks: Walks) -> None:
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": URL},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert "sent from another site" in walks.sign_up(**headers)

    assert walks.rows("SELECT * FROM sign_ups") == []


def test_a_form_of_this_site_is_taken(walks: Walks) -> None:
    for number, headers in enumerate(({"Origin": URL}, {"Sec-Fetch-Site": "same-origin"}, {})):
        assert "Thank you" in walks.sign_up(email=f"ada{number}@example.com", **headers)


def test_nobodys_inbox_is_flooded(walks: Walks) -> None:
    pages = [walks.sign_up(email=email) for email in ("ada@example.com", "Ada@example.com") * 2]

    assert len(walks.post.sent) == 3
    assert "Look into your inbox" in pages[3]


def test_pages_that_do_not_exist_say_so(walks: Walks) -> None:
    for path in ("/nothing", "/sign-ups/unknown", "/sign-ups/unknown/events", "/confirm/unknown"):
        answer = walks.browser.get(path)

        assert answer.status_code == 404
        assert "Nothing here" in answer.text


def test_the_link_in_a_letter_does_not_come_from_the_request(walks: Walks) -> None:
    walks.sign_up(Host="evil.example")

    assert "evil.example" not in (walks.post.sent[0].html or "") + (walks.post.sent[0].text or "")


def test_pages_about_people_are_kept_by_nobody(walks: Walks) -> None:
    answer = walks.browser.post("/sign-up", data={"name": "Ada", "email": "ada@example.com"})

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_a_failure_says_nothing_about_itself(walks: Walks) -> None:
    walks.rows("DROP TABLE letters")
    answer = walks.browser.post("/sign-up", data={"name": "Ada", "email": "ada@example.com"})

    assert answer.status_code == 500
    assert "Something has gone wrong" in answer.text
    assert "letters" not in answer.text
    assert walks.rows("SELECT * FROM sign_ups") == []
