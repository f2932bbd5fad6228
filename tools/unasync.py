"""Write the synchronous twins of the asynchronous sources, or check that they are up to date.

    python tools/unasync.py            write them
    python tools/unasync.py --check    name stale, missing and orphaned ones; exit status 1 if there are any

The output is committed. It is formatted with the project's pinned ruff, so that every machine writes the same.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDERS = {"poststack/_async": "poststack/_sync", "tests/client/_async": "tests/client/_sync"}
HEADER = "# Written by tools/unasync.py from {source}. Do not edit.\n"

# Applied in order to whole sources, docstrings included. A rule that changes nothing anywhere is an error.
RULES: list[tuple[str, str]] = [
    (r"\basync with\b", "with"),
    (r"\basync for\b", "for"),
    (r"\basync def\b", "def"),
    (r"\bawait ", ""),
    (r"\bAsyncIterable, ", ""),
    (r"\baclosing\b", "closing"),
    (r"calls under way are cancelled and no others begun", "calls under way end, and no others begin"),
    (r" \| AsyncIterable\[\w+\]", ""),
    (r" \| AsyncEventSource\b", ""),
    (r"\bAsyncEventSource, ", ""),
    (r"\bAsync(?=[A-Z]\w)", ""),
    (r"\b(_*)a(send|close|write|flush|sleep|begin|finish|abandon|free|shielded|call|call_each|read_files)\b", r"\1\2"),
    (r"\ba(reserve|hold|fill)\b", r"\1"),
    (r"\ba(read_events|check_source)\b", r"\1"),
    (r"\bAwaitable\[object\]", "object"),
    (r"\bAwaitable\[Answer\]", "Answer"),
    (r"\bAwaitable\[list\[Outcome\]\]", "list[Outcome]"),
    (r"\bAwaitable, ", ""),
    (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"\b_async\b", "_sync"),
    (r"\basynchronous client, and the source of the synchronous one: .*? it\.", "synchronous client, generated."),
    (r" for asyncio and trio\.", " for threads and plain scripts."),
    (r"\basynchronous client against", "synchronous client against"),
    (r"\basync_(client|transport|carrier)\b", r"\1"),
    (r"\._provider\.async_(send_bulk|send|close)\b", r"._provider.\1"),
    (r" on an event loop of asyncio or trio\.", "."),
]


def translated(source: str, used: set[str]) -> str:
    """Return the synchronous form of a source and note which rules changed something."""
    for pattern, replacement in RULES:
        source, count = re.subn(pattern, replacement, source, flags=re.DOTALL)
        if count:
            used.add(pattern)
    return source


def formatted(sources: dict[Path, str], root: Path) -> dict[Path, str]:
    """Return the sources, by their paths below the root, as ruff sorts and formats them with the root's settings."""
    with tempfile.TemporaryDirectory(prefix="unasync-") as name:
        folder = Path(name)
        shutil.copy(root / "pyproject.toml", folder)
        for path, source in sources.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source, "utf-8")
        for command in (["check", "--select", "I", "--fix"], ["format"]):
            run = [sys.executable, "-m", "ruff", *command, "--quiet", "--no-cache", "."]
            subprocess.run(run, cwd=folder, check=True)
        return {path: (folder / path).read_text("utf-8") for path in sources}


def twins(root: Path) -> dict[Path, str]:
    """Return what every generated file should contain."""
    used: set[str] = set()
    sources: dict[Path, str] = {}
    for source_folder, twin_folder in FOLDERS.items():
        for source in sorted((root / source_folder).glob("*.py")):
            header = HEADER.format(source=f"{source_folder}/{source.name}")
            sources[Path(twin_folder) / source.name] = header + translated(source.read_text("utf-8"), used)
    unused = [pattern for pattern, _ in RULES if pattern not in used]
    if unused:
        sys.exit(f"unasync: these rules change nothing, remove them: {unused}")
    return {root / path: text for path, text in formatted(sources, root).items()}


def main() -> int:
    """Write or compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a twin is not up to date")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    options = parser.parse_args()
    wanted = twins(options.root)
    present = {path for folder in FOLDERS.values() for path in (options.root / folder).glob("*.py")}
    problems = [f"orphaned: {path}" for path in sorted(present - wanted.keys())]
    for path, text in wanted.items():
        if path not in present or path.read_text("utf-8") != text:
            problems.append(f"{'stale' if path in present else 'missing'}: {path}")
            if not options.check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
    if not options.check:
        for orphan in present - wanted.keys():
            orphan.unlink()
    print("\n".join(problems) if problems else "unasync: all twins are up to date")
    return 1 if options.check and problems else 0


if __name__ == "__main__":
    sys.exit(main())
