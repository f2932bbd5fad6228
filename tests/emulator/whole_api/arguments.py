"""Arguments for any method: of the types that the client declares, with ids that are there, or were, or never will be.

What makes sense for a field goes by its name; where a name says nothing, the type decides. A careless draw then puts
something of another type, or hostile, in some place.
"""

from __future__ import annotations

import collections.abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from typing_extensions import NotRequired, Required, is_typeddict

from poststack.emulator.model import iso
from poststack.types import PutWorkflowGraph
from tests.client.workflow_graphs import chain, edges, mail, node
from tests.emulator.whole_api.methods import Call, Parameter, methods

__all__ = ["FAILING", "PASSWORD", "PEOPLE", "RECEIVING", "SHOP", "Known", "calls"]

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]

RECEIVING = "https://receiver.test/hook"
FAILING = "https://receiver.test/fails"
PASSWORD = "correct-horse-battery-staple-17"
SHOP = "own.example"
PEOPLE = (
    "ada@example.com",
    "bob@example.com",
    "complain@example.com",
    "bounce@example.com",
    "defer@example.com",
    "cy@example.org",
)
DOMAINS = ("extra.example", "läden.example", "late.invalid", SHOP)
EVENTS = ("*", "email.delivered", "email.bounced", "contact.created", "contact.updated", "inbound_email.received")
OWN_EVENT = "order.placed"
GROUPS = {
    "api_keys": "api_key",
    "broadcasts": "broadcast",
    "contact_properties": "contact_property",
    "contacts": "contact",
    "domains": "domain",
    "emails": "email",
    "inbound_emails": "inbound_email",
    "mailboxes": "mailbox",
    "notification_channels": "notification_channel",
    "segments": "segment",
    "signup_forms": "signup_form",
    "subscription_topics": "topic",
    "templates": "template",
    "webhooks": "webhook",
    "workflows": "workflow",
}
REFERENCES = {
    "attachment_id": "inbound_file",
    "contact_id": "contact",
    "contact_ids": "contact",
    "delivery_id": "delivery",
    "destinationMailboxId": "mailbox",
    "domainId": "domain",
    "domain_id": "domain",
    "mailboxId": "mailbox",
    "segment_id": "segment",
    "shared_with_mailbox_id": "mailbox",
    "target_id": "mailbox",
    "template_id": "template",
    "topic_id": "topic",
}
TEXTS: Mapping[str, Sequence[str]] = {
    "custom_return_path": ("bounces", "mail"),
    "bimi_logo_url": ("https://example.com/logo.svg",),
    "country": ("DK",),
    "device": ("desktop",),
    "domain": (SHOP, "example.com"),
    "email": PEOPLE,
    "emails": PEOPLE,
    "event": (OWN_EVENT, "other"),
    "eventType": EVENTS[1:],
    "events": EVENTS,
    "from": (f"Shop <shop@{SHOP}>", f"news@{SHOP}"),
    "html": ("<p>Hi {{name}}</p><a href='https://example.com/x'>x</a>", "<b>é</b>"),
    "idempotency_key": ("one", "two"),
    "localPart": ("ada", "info"),
    "name": ("size", "colour", "A", "B"),
    "password": (PASSWORD,),
    "preset_id": ("welcome",),
    "redirect_url": ("https://example.com/thanks",),
    "forwardTo": ("fwd@example.org",),
    "search": ("a", "hi"),
    "tracking_domain": (f"links.{SHOP}",),
    "url": (RECEIVING, FAILING),
    "value": ("a", "1", "2026-01-01"),
}
LISTS = {"to": PEOPLE, "cc": PEOPLE, "bcc": PEOPLE, "options": ("S", "M", "L"), "variables": ("name",)}
RULES: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    ("email", "contains", {"value": "a"}),
    ("email", "ends_with", {"value": "example.com"}),
    ("unsubscribed", "equals", {"value": "false"}),
    ("emailsOpened", "greater_than", {"value": "0", "windowDays": 30}),
    ("emailsClicked", "less_than", {"value": "1"}),
    ("engagementSegment", "equals", {"value": "active"}),
    ("createdAt", "in_last_days", {"value": "7"}),
    ("lastEngagedAt", "is_not_set", {}),
    ("properties.size", "is_set", {}),
    ("properties.colour", "equals", {"value": "S"}),
)
NUMBERS = {
    "page": (1, 3),
    "per_page": (1, 5),
    "perPage": (1, 5),
    "limit": (1, 5),
    "days": (1, 60),
    "windowDays": (1, 90),
}
NUMBERS.update(grace_hours=(0, 2), withinMinutes=(1, 600), test_sample_size=(5, 50), test_duration_minutes=(30, 60))
NUMBERS.update(ip_address_id=(1, 2), quotaBytes=(10**9, 10**10), idempotency_window_hours=(1, 24))
NASTY: Sequence[object] = (
    None, True, -1, 0, 10**30, 0.5, -1e300, "", " ",
    "x\r\nBcc: eve@example.com", "\0", "\ud800", "a" * 5_000, "{{", "{{a",
    "../..", "%2e%2e", "é\u2028", "𝒳@ex ample", "@", "9" * 30, "2026-02-30", "9999-12-31T23:59:59Z", "0001-01-01",
    "*", "*/*", "%", "_", [], {}, [None], [[1]], {"": None}, {"a": {"b": [1]}}, ["ada@example.com", 1],
)  # fmt: skip


class Known:
    """What there is, what is no more, and what time it is."""

    def __init__(self) -> None:
        self.now: float = 0.0
        self.there: dict[str, list[tuple[int, str]]] = {}
        self.gone: dict[str, list[tuple[int, str]]] = {}
        self.properties: dict[str, str] = {}


@st.composite
def calls(draw: Draw, known: Known, names: Sequence[str], careful: bool) -> Call:
    """Draw a call of one of these methods."""
    name = draw(st.sampled_from(names))
    return _Writer(draw, known, careful).call(name)


class _Writer:
    def __init__(self, draw: Draw, known: Known, careful: bool) -> None:
        self._draw = draw
        self._known = known
        self._careful = careful
        self._group = ""

    def call(self, name: str) -> Call:
        self._group = name.split(".", maxsplit=1)[0]
        arguments: list[Any] = []
        options: list[tuple[str, Any]] = []
        for parameter in methods()[name]:
            if parameter.optional and (self._odds(50) or len(options) > 0):
                break
            value = self._argument(parameter)
            if parameter.keyword:
                options.append((parameter.name, value))
            else:
                arguments.append(value)
        if name == "signup_forms.submit" and self._odds(50):
            arguments[1] = {**arguments[1], **self._properties()}
        if not self._careful and arguments:
            place = self._draw(st.integers(0, len(arguments) - 1))
            arguments[place] = self._spoilt(arguments[place], whole=True)
        return Call(name, tuple(arguments), tuple(options))

    def _argument(self, parameter: Parameter) -> Any:
        if parameter.name == "id":
            return self._reference(GROUPS[self._group], parameter.expected)
        return self._value(parameter.name, parameter.expected)

    def _value(self, name: str, expected: Any) -> Any:
        origin = get_origin(expected)
        if origin in {NotRequired, Required}:
            return self._value(name, get_args(expected)[0])
        if self._group == "domains" and name == "name":
            return self._one(DOMAINS)
        if name in _SPECIAL and self._group != "mailboxes":
            return _SPECIAL[name](self)
        if origin is Literal:
            return self._one(get_args(expected))
        if name in REFERENCES and origin is not list:
            return self._reference(REFERENCES[name], expected)
        if origin is Union or str(origin) == "<class 'types.UnionType'>":
            return self._union(name, get_args(expected))
        if expected is PutWorkflowGraph:
            return self._graph()
        if is_typeddict(expected):
            return self._typed(expected)
        if origin in {list, collections.abc.Sequence}:
            return self._list(name, get_args(expected)[0])
        if expected is bool:
            return self._odds(50)
        if expected is int:
            return self._draw(st.integers(*NUMBERS.get(name, (0, 100))))
        if expected is str:
            return self._one(TEXTS.get(name, ("Hi {{first_name}}", "plain", "Größe")))
        return {self._one(("name", "size", "first_name")): self._one(("Ada", "S", "7"))}

    def _union(self, name: str, choices: Sequence[Any]) -> Any:
        if type(None) in choices and self._odds(30):
            return None
        # Any mapping may be submitted to a form; what is declared beside it is enough here.
        left = [choice for choice in choices if choice is not type(None) and get_origin(choice) is not Mapping]
        return self._value(name, self._one(left))

    def _typed(self, expected: Any) -> dict[str, Any]:
        hints = get_type_hints(expected, include_extras=True)
        query = expected.__name__.endswith("Query")
        chance = 25 if query else 70 if not expected.__required_keys__ else 35
        content = {
            name: self._value(name, hint)
            for name, hint in hints.items()
            if name in expected.__required_keys__ or self._odds(chance)
        }
        if "html" in hints and "template_id" not in content and not content.get("text") and self._odds(90):
            content["html"] = self._value("html", str)
        if "subject" in hints and not query and "template_id" not in content and self._odds(90):
            content["subject"] = "Hi {{first_name}}"
        if content.get("permission") == "full_access" and self._odds(80):
            content["allow_full_access"] = True
        if content.get("type") == "select" and self._group == "contact_properties":
            content["options"] = ["S", "M", "L"]
        elif "options" in content and "type" in content:
            del content["options"]
        if content.get("trigger_type") is not None:
            content.pop("trigger_config", None)
            if content["trigger_type"] == "custom":
                content["trigger_config"] = {"event": OWN_EVENT}
        if "contact_id" in content and "email" in content:
            del content["email"]
        return content

    def _list(self, name: str, of: Any) -> list[Any]:
        size = self._draw(st.integers(1, 3))
        if name in LISTS:
            return list(dict.fromkeys(self._one(LISTS[name]) for _ in range(size)))
        values = [self._reference(REFERENCES[name], of) if name in REFERENCES else self._value(name, of)
                  for _ in range(size)]  # fmt: skip
        return list(dict.fromkeys(values)) if of is str else values

    def _reference(self, kind: str, expected: Any) -> Any:
        wants_number = expected is int
        odds = 95 if self._careful else 60
        if not self._odds(odds):
            if self._odds(40) and (gone := self._known.gone.get(kind)):
                return self._one(gone)[0 if wants_number else 1]
            if self._odds(50) and (other := self._known.there.get(self._one(tuple(GROUPS.values())))):
                return self._one(other)[0 if wants_number else 1]
            return self._draw(st.integers(0, 10**6)) if wants_number else self._one(("", "x_1", "con_", "é/..%2f", "1"))
        there = self._known.there.get(kind)
        return self._one(there)[0 if wants_number else 1] if there else (1 if wants_number else kind + "_1")

    def _rules(self) -> dict[str, Any]:
        chosen = [self._one(RULES) for _ in range(self._draw(st.integers(1, 2)))]
        conditions = [{"field": field, "comparator": how, **rest} for field, how, rest in chosen]
        return {"operator": self._one(("and", "or")), "conditions": conditions}

    def _moment(self) -> str:
        return iso(self._known.now + self._one((60, 1, 3_600, 86_400, -60)))

    def _properties(self) -> dict[str, Any]:
        values = {"text": "long", "number": 7, "boolean": True, "date": "2026-01-02", "select": "S"}
        imported = {"number": "7", "boolean": "true"}
        found: dict[str, Any] = {}
        for name, kind in self._known.properties.items():
            if self._odds(60):
                found[name] = {**values, **(imported if self._odds(50) else {})}[kind]
        return found

    def _graph(self) -> dict[str, Any]:
        email: dict[str, Any] = {"from": f"shop@{SHOP}"}
        if self._odds(30) and (templates := self._known.there.get("template")):
            email["template_id"] = self._one(templates)[1]
        steps = [
            mail("mail", **email),
            node("wait", "wait", delay=self._one(("5s", "1m", "1d"))),
            node("post", "webhook", url=self._one((RECEIVING, FAILING))),
            mail("again", **email),
        ]
        graph = chain(*[step for step in steps if self._odds(60)])
        if self._odds(40):
            last = graph["nodes"][-1]["public_id"]
            graph["nodes"] += [node("if", "condition", **self._rules()), mail("yes", **email), mail("no", **email)]
            graph["edges"] += edges((last, "if"), ("if", "yes", "match"), ("if", "no", "no_match"))
            if self._odds(30):
                graph["edges"] += edges(("no", "start"))
        return cast("dict[str, Any]", graph)

    def _fields(self) -> list[dict[str, Any]]:
        fields: list[dict[str, Any]] = [{"name": "email", "type": "email", "label": "E-mail", "required": True}]
        for name in self._known.properties:
            if self._odds(50):
                fields.append({"name": name, "type": "text", "label": name, "required": self._odds(30)})
        return fields

    def _test(self) -> dict[str, Any]:
        names = ("A", "B", "C", "D") if self._odds(30) else ("A", "B")
        variants = [{"name": name, "subject": f"{name} {{{{email}}}}", "weight": 100 // len(names)} for name in names]
        return {"variants": variants, "test_sample_size": self._draw(st.integers(5, 50)), "test_duration_minutes": 30}

    def _since(self) -> str:
        return iso(self._known.now - self._one((60, 86_400)))[: self._one((10, 24))]

    def _spoilt(self, value: Any, *, whole: bool = False) -> Any:
        if whole and value == {}:
            return value  # what is no object at all is no business of the API: the client cannot send it
        if isinstance(value, Mapping) and value and (whole or self._odds(85)):
            content = dict(cast("Mapping[str, Any]", value))
            name = self._one(tuple(content))
            if self._odds(15):
                del content[name]
            elif self._odds(10):
                content[self._one(("", "é", "id", "__proto__", "a" * 300))] = self._one(NASTY)
            else:
                content[name] = self._spoilt(content[name])
            return content
        if isinstance(value, list) and value and self._odds(70):
            items: list[Any] = [*cast("Sequence[Any]", value)]
            place = self._draw(st.integers(0, len(items) - 1))
            items[place] = self._spoilt(items[place])
            return items * (60 if self._odds(5) else 1)
        return self._one(NASTY)

    def _one(self, choices: Sequence[T]) -> T:
        place: int = self._draw(st.integers(0, len(choices) - 1))
        return choices[place]

    def _odds(self, percent: int) -> bool:
        return bool(self._draw(st.integers(0, 99)) < percent)

    def special(self, name: str) -> Any:
        """Draw what no type describes well enough."""
        return getattr(self, f"_{name}")()


_SPECIAL: Mapping[str, Callable[[_Writer], Any]] = {
    "ab_test": lambda writer: writer.special("test"),
    "attachments": lambda _: [{"filename": "a.txt", "content": "YQ=="}],
    "builder_blocks": lambda _: {"blocks": []},
    "date_from": lambda writer: writer.special("since"),
    "date_to": lambda writer: writer.special("since"),
    "fields": lambda writer: writer.special("fields"),
    "headers": lambda _: {"X-Order": "7"},
    "properties": lambda writer: writer.special("properties"),
    "reply_to": lambda _: "answers@example.org",
    "rules": lambda writer: writer.special("rules"),
    "scheduled_at": lambda writer: writer.special("moment"),
    "since": lambda writer: writer.special("since"),
}
