"""The small project of the tests in another process, on the databases that the environment names."""

from __future__ import annotations

import json
import os

from tests.with_django.settings import *  # noqa: F403  # the same but for what follows
from tests.with_django.settings import DATABASES

DATABASES.update(json.loads(os.environ["POSTSTACK_TEST_DATABASES"]))
for _settings in DATABASES.values():
    # Empty and made for this: the test runner needs no other one beside it.
    _settings["TEST"] = {"NAME": _settings["NAME"]}
# Another one has to be loaded into MariaDB before the admin can group by days, and installing it does not do that.
TIME_ZONE = "UTC"
