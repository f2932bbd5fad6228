"""Stored templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Listing, Request, segment
from poststack.types.common import Page, Success
from poststack.types.templates import RenderedTemplate, Template, TemplateAnswer, TemplatePresets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from poststack._async.session import AsyncSession
    from poststack.types.templates import CreateTemplate, TemplateQuery, UpdateTemplate

__all__ = ["AsyncTemplates"]


class AsyncTemplates:
    """Keep templates at the API. Every `id` is a `tpl_…` id; e-mails can use a template once it is published.

    Only sends honour idempotency keys: a `create`, `duplicate` or `use_preset` that failed without an answer may have
    taken effect, and its retries can make a second template.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def create(self, input: CreateTemplate, *, timeout: float | None = None) -> TemplateAnswer:
        """Store a new template as a draft."""
        return await self._session.call(Request("POST", "/templates", TemplateAnswer, body=input), timeout)

    async def list(self, params: TemplateQuery | None = None, *, timeout: float | None = None) -> Page[Template]:
        """Return one page of templates."""
        return await self._session.call(Request("GET", "/templates", Page[Template], query=params), timeout)

    def iterate(self, params: TemplateQuery | None = None, *, timeout: float | None = None) -> AsyncIterator[Template]:
        """Yield the templates of all pages."""
        return self._session.iterate(Listing("/templates", Template, query=params), timeout)

    async def get(self, id: str, *, timeout: float | None = None) -> TemplateAnswer:
        """Return one template."""
        return await self._session.call(Request("GET", f"/templates/{segment(id)}", TemplateAnswer), timeout)

    async def update(self, id: str, input: UpdateTemplate, *, timeout: float | None = None) -> TemplateAnswer:
        """Change the given fields of a template."""
        return await self._session.call(
            Request("PATCH", f"/templates/{segment(id)}", TemplateAnswer, body=input), timeout
        )

    async def delete(self, id: str, *, timeout: float | None = None) -> Success:
        """Remove a template."""
        return await self._session.call(Request("DELETE", f"/templates/{segment(id)}", Success), timeout)

    async def publish(self, id: str, *, timeout: float | None = None) -> TemplateAnswer:
        """Let e-mails use a template."""
        return await self._session.call(Request("POST", f"/templates/{segment(id)}/publish", TemplateAnswer), timeout)

    async def unpublish(self, id: str, *, timeout: float | None = None) -> TemplateAnswer:
        """Make a template a draft again: sends that use it are refused from now on."""
        return await self._session.call(Request("POST", f"/templates/{segment(id)}/unpublish", TemplateAnswer), timeout)

    async def duplicate(self, id: str, *, timeout: float | None = None) -> TemplateAnswer:
        """Copy a template into a new draft and return the copy."""
        return await self._session.call(Request("POST", f"/templates/{segment(id)}/duplicate", TemplateAnswer), timeout)

    async def get_presets(self, *, timeout: float | None = None) -> TemplatePresets:
        """Return the ready-made templates to start from."""
        return await self._session.call(Request("GET", "/templates/presets", TemplatePresets), timeout)

    async def use_preset(self, preset_id: str, *, timeout: float | None = None) -> TemplateAnswer:
        """Copy a preset, such as `welcome`, into a new draft."""
        return await self._session.call(
            Request("POST", f"/templates/presets/{segment(preset_id)}/use", TemplateAnswer), timeout
        )

    async def render(
        self, id: str, variables: dict[str, str] | None = None, *, timeout: float | None = None
    ) -> RenderedTemplate:
        """Fill in a template without sending it, and name the variables that are missing."""
        body = {} if variables is None else {"variables": variables}
        return await self._session.call(
            Request("POST", f"/templates/{segment(id)}/render", RenderedTemplate, body=body), timeout
        )
