"""The page with all methods says what they do."""

from __future__ import annotations

import operator
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import poststack.types
from poststack import PostStack, PostStackResponseError
from tests.every_call import CALLS
from tests.scripted import ScriptedTransport, response

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/api.md").read_text("utf-8")


def test_the_page_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.reference", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout


def test_each_method_makes_the_request_that_the_page_says() -> None:
    said = dict(re.findall(r"^### (\w+\.\w+)\n\n`.*`  \n`(.+?)`$", PAGE, re.MULTILINE))
    transport = ScriptedTransport(response(200, []))
    client = PostStack("sk_test_x", transport=transport)

    for call in CALLS:
        transport.requests.clear()
        if call.method in {"contacts.export_csv", "inbound_emails.download_attachment"}:
            operator.attrgetter(call.method)(client)(*call.arguments, **call.options)
        else:
            with pytest.raises(PostStackResponseError):
                operator.attrgetter(call.method)(client)(*call.arguments, **call.options)
        (request,) = transport.requests

        method, path = said[call.method].split(" ")
        pattern = "/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/"))
        assert request.method == method
        assert re.fullmatch(pattern, urlsplit(request.url).path), call


def test_every_type_is_described_and_every_link_leads_to_one_heading() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = Counter(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings)

    assert set(poststack.types.__all__) <= set(headings)
    assert {link: anchors[link] for link in re.findall(r"\]\(#([^)]+)\)", PAGE) if anchors[link] != 1} == {}
