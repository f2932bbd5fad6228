"""What became of many e-mails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from poststack.mailbridge.dto.email_response_dto import EmailResponseDTO

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BulkEmailResponseDTO"]


@dataclass
class BulkEmailResponseDTO:
    """One response for each e-mail, in the order in which they were given."""

    total: int
    successful: int
    failed: int
    responses: list[EmailResponseDTO] = field(default_factory=list["EmailResponseDTO"], repr=False)

    @classmethod
    def from_responses(cls, responses: Iterable[EmailResponseDTO]) -> BulkEmailResponseDTO:
        """Return the responses, counted."""
        found = list(responses)
        successful = sum(response.success for response in found)
        return cls(len(found), successful, len(found) - successful, found)

    @property
    def failures(self) -> dict[int, EmailResponseDTO]:
        """Return the responses of those that were not accepted, by their place in the bulk, counted from 0."""
        return {index: response for index, response in enumerate(self.responses) if not response.success}
