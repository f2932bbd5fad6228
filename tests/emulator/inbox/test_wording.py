"""Words for moments and sizes, and the line under a subject."""

from __future__ import annotations

import time

import pytest

from poststack.emulator.inbox.snippet import snippet
from poststack.emulator.inbox.wording import duration, file_size, masked_url, relative, short_url, visible
from poststack.emulator.model import Address, Message
from poststack.emulator.receiving.readable import readable_html

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (0, "just now"),
        (-5, "in a moment"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3_599, "59 min ago"),
        (3_600, "1 h ago"),
        (86_400, "1 d ago"),
        (-90, "in 1 min"),
        (-86_400, "in 1 d"),
        (7 * 86_400, "8 Jan 2027"),
    ],
)
def test_moments_are_told_by_their_distance(ago: float, said: str) -> None:
    assert relative(NOW - ago, NOW) == said


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 bytes"), (1, "1 byte"), (1_500, "1.5 kB"), (20_000, "20 kB"), (2_500_000, "2.5 MB"), (3e9, "3.0 GB")],
)
def test_sizes_have_the_unit_that_suits_them(size: int, said: str) -> None:
    assert file_size(int(size)) == said


def test_durations_are_short() -> None:
    assert (duration(0.0124), duration(2.25)) == ("12 ms", "2.2 s")


def test_hidden_characters_are_made_visible() -> None:
    assert visible("a\x00b\u202ec\ud800\td\né") == "a\ufffdb\ufffdc\ufffd\td\né"


def message(html: str | None = None, text: str | None = None) -> Message:
    return Message(Address("a@example.com"), (Address("b@example.com"),), html=html, text=text)


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<p>Tom &amp; <b>Jerry</b></p>", "Tom & Jerry"),
        ("<head><title>No</title><style>p{}</style></head><BODY class=x>Yes<br>here</BODY>", "Yes here"),
        ("a<!-- no <b>no</b> -->b<script>no</script>c<style>no", "a b c"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<p", ""),
        ("", ""),
    ],
)
def test_the_first_words_of_html_are_without_markup(html: str, words: str) -> None:
    assert snippet(message(html)) == words


def test_text_comes_before_html_unless_it_is_blank() -> None:
    assert snippet(message("<p>rich</p>", "plain  \n words")) == "plain words"
    assert snippet(message("<p>rich</p>", " \n ")) == "rich"
    assert snippet(message()) == ""


def test_long_texts_are_cut() -> None:
    words = snippet(message(text="word " * 100))

    assert words.endswith("word…")
    assert len(words) <= 161


@pytest.mark.parametrize("piece", ["<", "<a ", "<!--", "<style>", "<script>x</", "<!-- --", "&#", "<a b='<"])
def test_markup_made_to_be_slow_is_read_in_linear_time(piece: str) -> None:
    def cost(repeats: int) -> float:
        started = time.process_time()
        readable_html(piece * repeats)
        return time.process_time() - started

    cost(1_000)
    small, large = cost(20_000), cost(160_000)

    # Eight times the work; quadratic time would be sixty-four times.
    assert large < 32 * small + 0.5


@pytest.mark.parametrize(
    ("url", "shown", "short"),
    [
        ("http://127.0.0.1:9/hook", "http://127.0.0.1:9/hook", "127.0.0.1:9/hook"),
        ("https://shop.test/hook?token=x", "https://shop.test/hook?•••", "shop.test/hook?•••"),
        ("https://me:x@shop.test/", "https://•••@shop.test/", "•••@shop.test/"),
        ("https://me@x@shop.test/#x", "https://•••@shop.test/?•••", "•••@shop.test/?•••"),
        (
            f"https://shop.test/{'a' * 30}/hook",
            f"https://shop.test/{'a' * 30}/hook",
            f"shop.test/{'a' * 8}…{'a' * 12}/hook",
        ),
        ("https://[", "•••", "•••"),
    ],
)
def test_addresses_are_shown_without_what_may_be_secret(url: str, shown: str, short: str) -> None:
    assert masked_url(url) == shown
    assert short_url(url) == short
