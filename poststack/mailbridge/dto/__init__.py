"""What goes in and out of a MailBridge."""

from __future__ import annotations

from poststack.mailbridge.dto.bulk_email_dto import BulkEmailDTO
from poststack.mailbridge.dto.bulk_email_response_dto import BulkEmailResponseDTO
from poststack.mailbridge.dto.email_message_dto import EmailMessageDto, FileLike
from poststack.mailbridge.dto.email_response_dto import EmailResponseDTO

__all__ = ["BulkEmailDTO", "BulkEmailResponseDTO", "EmailMessageDto", "EmailResponseDTO", "FileLike"]
