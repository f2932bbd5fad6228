"""Stored templates (poststack-api §4.5)."""

from typing import Any, Literal

from poststack.types.common import NotRequired, PageQuery, TypedDict

__all__ = [
    "CreateTemplate",
    "RenderedTemplate",
    "Template",
    "TemplateAnswer",
    "TemplatePreset",
    "TemplatePresets",
    "TemplateQuery",
    "UpdateTemplate",
]


class Template(TypedDict):
    """A template. `publicId` is the `tpl_…` id that methods and `SendEmail.template_id` take; `id` is internal."""

    id: int
    publicId: str
    name: str
    subject: str
    htmlBody: str | None
    textBody: str | None
    variables: list[str] | None
    published: bool
    version: int
    createdAt: str


class TemplateAnswer(TypedDict):
    """One template."""

    template: Template


class CreateTemplate(TypedDict):
    """A new template, a draft until it is published. `{{name}}` marks a variable."""

    name: str
    subject: str
    html: str
    text: NotRequired[str]
    variables: NotRequired[list[str]]
    builder_type: NotRequired[Literal["html", "visual"]]
    builder_blocks: NotRequired[dict[str, Any] | None]
    """The document of the visual builder: an object with a list `blocks`."""


class UpdateTemplate(TypedDict, total=False):
    """What to change; everything else stays."""

    name: str
    subject: str
    html: str
    text: str
    variables: list[str]
    builder_type: Literal["html", "visual"]
    builder_blocks: dict[str, Any] | None


class TemplateQuery(PageQuery, total=False):
    """Filters of a list. Give `published` as text: the query is written with `str`."""

    search: str
    published: Literal["true", "false"]


class TemplatePreset(TypedDict):
    """A ready-made template to start from."""

    id: str
    name: str
    subject: str
    html: str
    variables: list[str]


class TemplatePresets(TypedDict):
    """All presets."""

    data: list[TemplatePreset]


class RenderedTemplate(TypedDict):
    """A template with variables filled in."""

    subject: str
    html: str | None
    text: str | None
    missing_variables: list[str]
    template_variables: list[str]
