"""Django is set up when this folder is collected, so the rest of the tests runs without Django as well."""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.with_django.api import RecordingApi

if find_spec("django") is None:
    collect_ignore_glob = ["*"]
else:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.with_django.settings")
    import django
    from django.utils import deprecation

    # Both are pending or plain deprecations, depending on the version: neither is an error by itself everywhere.
    warnings.simplefilter("error", deprecation.RemovedInNextVersionWarning)
    warnings.simplefilter("error", deprecation.RemovedAfterNextVersionWarning)
    django.setup()


@pytest.fixture
def api(settings: Any) -> Iterator[RecordingApi]:
    """The API in memory. All mailers of the test send to it, with a test key."""
    from tests.with_django.api import SECRET, RecordingApi, sending_through_poststack

    recording = RecordingApi()
    settings.POSTSTACK = {"CLIENT": recording.client, "WEBHOOK_SECRETS": [SECRET]}
    with sending_through_poststack():
        yield recording
