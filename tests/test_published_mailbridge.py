"""Programs that were written for MailBridge 2.1.1 run after changing the import: compared with MailBridge itself."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from poststack.providers import HttpProvider
from poststack.transports.base import HttpResponse
from tests.mailbridge_surface import main as our_surface
from tests.published import installed
from tests.scripted import AnsweringTransport

PUBLISHED = ["mailbridge[async]==2.1.1"]
PROGRAM = Path(__file__).with_name("mailbridge_surface.py")

Surface = dict[str, dict[str, list[list[str]]]]


@pytest.fixture(scope="session")
def published(pytestconfig: pytest.Config) -> dict[str, Any]:
    """Return what MailBridge itself says of its surface, and its README."""
    python = installed(pytestconfig, "mailbridge", PUBLISHED)
    run = subprocess.run([str(python), "-I", str(PROGRAM), "mailbridge"], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.fixture(scope="session")
def ours() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(our_surface("poststack.mailbridge")))
    return found


def test_every_provider_of_mailbridge_is_there(published: dict[str, Any], ours: dict[str, Any]) -> None:
    assert set(published["providers"]) <= set(ours["providers"])


def test_every_call_of_mailbridge_is_a_call_of_ours(published: dict[str, Any], ours: dict[str, Any]) -> None:
    theirs: Surface = published["surface"]
    assert len(theirs) > 12
    for name, methods in theirs.items():
        for method, wanted in methods.items():
            given = ours["surface"][name][method]
            if method == "bases":
                assert [base for base in given if base in wanted] == wanted, name
                continue
            # A parameter may have got more of them behind it; those must be optional.
            names = [parameter[0] for parameter in given]
            at_the_end = {"VAR_KEYWORD"}
            positional = [parameter for parameter in wanted if parameter[1] not in at_the_end]
            kept = [parameter for parameter in given if parameter[1] not in at_the_end][: len(positional)]
            if wanted and wanted[-1][0] == "coroutine":
                assert given[-1] == wanted[-1], f"{name}.{method}"
                positional, kept = positional[:-1], given[: len(positional) - 1]
            assert [one[0] for one in kept] == [one[0] for one in positional], f"{name}.{method}: {names}"
            assert [bool(one[2]) for one in kept] == [bool(one[2]) for one in positional], f"{name}.{method}"
            for our, their in zip(kept, positional, strict=True):
                if their[2] in {"None", "True", "False"}:
                    assert our[2] == their[2], f"{name}.{method}({our[0]})"


def blocks(readme: str) -> list[str]:
    """Return the README's programs in Python that are Python."""
    found = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    return [one for one in found if is_python(one)]


def is_python(text: str) -> bool:
    try:
        compile(text, "README", "exec", flags=AWAIT)
    except SyntaxError:
        return False
    return True


AWAIT = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def test_the_programs_of_its_readme_run(
    published: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    transport = AnsweringTransport(lambda body: HttpResponse(202, {"x-message-id": "id1"}, b'{"messageId":"<id1@x>"}'))

    def instead(provider: HttpProvider) -> AnsweringTransport:
        return transport

    monkeypatch.setattr(HttpProvider, "transport", instead)
    monkeypatch.setattr(HttpProvider, "async_transport", instead)
    # Some give no sender, which the provider would refuse.
    monkeypatch.setattr(HttpProvider, "default_sender", "noreply@example.org")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "invoice.pdf").write_bytes(b"%PDF")
    programs = blocks(published["readme"])
    assert len(programs) >= 15
    person = SimpleNamespace(email="ada@example.net", name="Ada", customer_email="ada@example.net", id=17, total="9.90",
                             items=["book"], tracking_url="https://example.org/t")  # fmt: skip
    from poststack.mailbridge import AsyncMailBridge, ConfigurationError, MailBridge

    shared: dict[str, Any] = {
        "mailer": MailBridge("sendgrid", api_key="SG.x"),
        "new_user": person, "user": person, "order": person, "subscribers": [person], "csv_bytes": b"a,b",
        "generate_activation_link": str, "generate_reset_link": str, "generate_unsubscribe_link": str,
        "ConfigurationError": ConfigurationError, "MailBridge": MailBridge, "AsyncMailBridge": AsyncMailBridge,
    }  # fmt: skip
    for program in programs:
        text = re.sub(r"\b(from|import) mailbridge\b", r"\1 poststack.mailbridge", program)
        text = text.replace("send_newsletter([...])", "send_newsletter([])")
        code = compile(text, "README", "exec", flags=AWAIT)
        names = dict(shared)
        try:
            running = eval(code, names)  # what its README shows
            if running is not None:
                asyncio.run(running)
        finally:
            MailBridge.unregister_provider("myprovider")
    assert len(transport.bodies) >= 8


def test_its_classes_of_ones_own_work_unchanged() -> None:
    from poststack.mailbridge import AsyncMailBridge, EmailMessageDto, EmailResponseDTO, MailBridge
    from poststack.mailbridge.providers.base_email_provider import BaseEmailProvider

    class Pigeon(BaseEmailProvider):
        def _validate_config(self) -> None:
            assert self.config == {"loft": "north", "from_email": "shop@example.org"}

        def send(self, message: EmailMessageDto) -> EmailResponseDTO:
            if "lost" in message.to[0]:
                raise RuntimeError("the pigeon is lost")
            return EmailResponseDTO(success=True, message_id=message.to[0], provider="pigeon")

    MailBridge.register_provider("Pigeon", Pigeon)
    try:
        assert "pigeon" in AsyncMailBridge.available_providers()
        mailer = MailBridge("pigeon", loft="north", from_email="shop@example.org")
        assert not mailer.supports_bulk_sending()
        assert mailer.send("ada@example.net", "Hi", "x").message_id == "ada@example.net"
        messages = [EmailMessageDto(f"{name}@example.net", "Hi", "x") for name in ("ada", "lost", "bob")]
        result = mailer.send_bulk(messages)
        assert [response.success for response in result.responses] == [True, False, True]

        async def main() -> Any:
            async with AsyncMailBridge("pigeon", loft="north", from_email="shop@example.org") as mailer:
                return await mailer.send_bulk(messages)

        assert asyncio.run(main()).failed == 1
    finally:
        MailBridge.unregister_provider("pigeon")
