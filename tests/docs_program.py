"""Run the Python snippets of one document in order, as its reader would.

    python -m tests.docs_program README.md

Comments in the document steer it, where a reader does not see them:

    <!-- check: CODE -->             run after the snippet above it
    <!-- test: django-settings -->   the next snippet is a settings module; later ones run with Django set up
    <!-- test: skip WHY -->          the next snippet is compiled, not run
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

PART = re.compile(
    r"<!-- (?P<kind>check|test): (?P<text>.*?) -->|^(?P<indent> *)```python\n(?P<code>.*?)^ *```",
    re.DOTALL | re.MULTILINE,
)


def configure_django(code: str) -> None:
    import django
    from django.conf import settings
    from django.core.management import call_command

    module: dict[str, Any] = {}
    exec(code, module)
    if django.VERSION < (6, 1) and "MAILERS" in module:  # As the page tells the readers of those versions.
        module["EMAIL_BACKEND"] = module.pop("MAILERS")["default"]["BACKEND"]
    database = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    defaults = {"DATABASES": database, "SECRET_KEY": "docs", "USE_TZ": True}
    settings.configure(**{**defaults, **{name: value for name, value in module.items() if name.isupper()}})
    django.setup()
    call_command("migrate", verbosity=0)


def run(document: Path) -> int:
    """Return how many snippets ran."""
    text = document.read_text("utf-8")
    # A module that can be found: frameworks look there for what the annotations of a function name.
    sys.modules["__docs__"] = module = ModuleType("__docs__")
    namespace = vars(module)
    mode, ran = "", 0
    for part in PART.finditer(text):
        line = text.count("\n", 0, part.start("code") if part["code"] is not None else part.start())
        if part["kind"] == "test":
            mode = part["text"].split()[0]
            continue
        code = textwrap.dedent(part["code"] or part["text"])
        # Blank lines in front make a traceback name the document's own line.
        program = compile("\n" * line + code, str(document), "exec", dont_inherit=True)
        if mode == "django-settings":
            configure_django(code)
        elif mode != "skip":
            exec(program, namespace)
        mode = ""
        ran += part["code"] is not None
    return ran


if __name__ == "__main__":
    print(run(Path(sys.argv[1])), "snippets")
