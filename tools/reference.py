"""Write docs/api.md, the reference of all groups: methods, requests and types, from the sources and their docstrings.

python -m tools.reference            write it
python -m tools.reference --check    exit status 1 when it is not up to date
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "api.md"
HEAD: Final = """\
<!-- Written by tools/reference.py. Do not edit. -->
# All methods and types

What the [client](client.md) can do: each method with its request, what it takes and what it returns. `AsyncPostStack`
has the same methods, awaited; what yields items is for `async for` there. Every method that makes a request also takes
`timeout`, the seconds for each step of one attempt, in place of the client's, and raises `ValueError` before anything
is sent, `PostStackError` after: [errors](client.md#errors).

Payloads and answers are dictionaries, typed by `poststack.types`. Answers may carry more keys than are listed here, and
enumerations may gain members.
"""


@dataclass
class Kind:
    """A TypedDict: what it says, and its keys with type, whether they may be missing, and a note."""

    text: str
    keys: dict[str, tuple[str, bool, str]] = field(default_factory=dict[str, tuple[str, bool, str]])


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"))


def flowing(text: str | None) -> str:
    """Return a docstring without line breaks inside paragraphs; indented examples stay."""
    blocks = re.split(r"\n\s*\n", text or "")
    return "\n\n".join(block if block.startswith("    ") else " ".join(block.split()) for block in blocks)


def documented(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """Yield each statement with the text that stands below it."""
    for statement, following in zip(body, [*body[1:], None], strict=True):
        note = ""
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            note = flowing(str(following.value.value))
        yield statement, note


def keys_of_call(call: ast.Call) -> dict[str, tuple[str, bool, str]]:
    """Return the keys of `TypedDict("Name", {...})`."""
    optional = not is_total(call.keywords)
    return {
        str(ast.literal_eval(key)): (ast.unparse(value), optional, "")
        for literal in call.args[1:]
        if isinstance(literal, ast.Dict)
        for key, value in zip(literal.keys, literal.values, strict=True)
        if key is not None
    }


def is_total(keywords: list[ast.keyword]) -> bool:
    """Return whether keys are required unless said otherwise."""
    return not any(one.arg == "total" and ast.unparse(one.value) == "False" for one in keywords)


class Types:
    """What the modules of `poststack.types` define, by module."""

    def __init__(self) -> None:
        self.kinds: dict[str, dict[str, Kind]] = {}
        self.enumerations: dict[str, dict[str, list[str]]] = {}
        self.aliases: dict[str, dict[str, str]] = {}
        folder = ROOT / "poststack" / "types"
        modules = [folder / "common.py", *sorted(path for path in folder.glob("[a-z]*.py") if path.stem != "common")]
        for path in modules:
            self._read(path)
        self.names = {
            name
            for found in (self.kinds, self.enumerations, self.aliases)
            for module in found.values()
            for name in module
            if not name.startswith("_")
        }

    def _read(self, path: Path) -> None:
        module = path.stem
        kinds = self.kinds.setdefault(module, {})
        enumerations = self.enumerations.setdefault(module, {})
        aliases = self.aliases.setdefault(module, {})
        for statement in parsed(path).body:
            if isinstance(statement, ast.ClassDef):
                kinds[statement.name] = self._kind(module, statement)
            elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                name, value = statement.targets[0].id, statement.value
                if isinstance(value, ast.Call) and ast.unparse(value.func) == "TypedDict":
                    kinds[name] = Kind("", keys_of_call(value))
                elif isinstance(value, ast.Subscript) and ast.unparse(value.value) == "Literal":
                    members = value.slice.elts if isinstance(value.slice, ast.Tuple) else [value.slice]
                    enumerations[name] = [ast.literal_eval(member) for member in members]
                elif isinstance(value, (ast.Name, ast.BinOp)) and not name.startswith("_"):
                    aliases[name] = ast.unparse(value)

    def _kind(self, module: str, statement: ast.ClassDef) -> Kind:
        kind = Kind(flowing(ast.get_docstring(statement)))
        for base in statement.bases:
            kind.keys.update(self._base(module, ast.unparse(base)).keys)
        total = is_total(statement.keywords)
        for one, note in documented(statement.body):
            if isinstance(one, ast.AnnAssign):
                written = ast.unparse(one.annotation)
                inner = re.fullmatch(r"NotRequired\[(.*)\]", written)
                kind.keys[ast.unparse(one.target)] = (inner[1] if inner else written, bool(inner) or not total, note)
        return kind

    def _base(self, module: str, name: str) -> Kind:
        for kinds in (self.kinds[module], *self.kinds.values()):
            if name in kinds:
                return kinds[name]
        return Kind("")  # TypedDict itself, or Generic.

    def linked(self, written: str) -> str:
        """Return a type as code, and links to what it names."""
        named = [name for name in dict.fromkeys(re.findall(r"\w+", written)) if name in self.names]
        links = ", ".join(f"[{name}](#{name.lower()})" for name in named)
        return f"`{written}`" + (f" ({links})" if links else "")

    def page(self, module: str) -> Iterator[str]:
        """Yield the lines about the types of a module."""
        for name, members in sorted(self.enumerations[module].items()):
            yield f"#### {name}\n\nOne of " + ", ".join(f"`{member}`" for member in members) + ".\n"
        for name, written in sorted(self.aliases[module].items()):
            yield f"#### {name}\n\nThe same as {self.linked(written)}.\n"
        for name, kind in self.kinds[module].items():
            if not name.startswith("_"):
                yield f"#### {name}\n\n{kind.text}\n"
                yield from (self._key(key, *about) for key, about in kind.keys.items())
                yield ""

    def _key(self, name: str, written: str, optional: bool, note: str) -> str:
        line = f"- `{name}`: {self.linked(written)}" + (", optional" if optional else "")
        return line + (f". {note}" if note else "")


def text_of(path: ast.expr, given: dict[str, ast.expr]) -> str:
    """Return the path of a request with the names of arguments in braces."""
    if isinstance(path, ast.Name):
        return text_of(given[path.id], given)
    if isinstance(path, ast.JoinedStr):
        return re.sub(r"\{segment\((\w+)\)\}", r"{\1}", ast.unparse(path)[2:-1])
    return str(ast.literal_eval(path))


def assigned(function: ast.AST) -> dict[str, ast.expr]:
    """Return what a method gives names to before it makes its request."""
    found: dict[str, ast.expr] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                found.update({ast.unparse(name): one for name, one in zip(target.elts, value.elts, strict=True)})
            else:
                found[ast.unparse(target)] = value
    return found


def request_of(function: ast.FunctionDef) -> str:
    """Return method and path of the request that a method makes, nothing if it makes none by itself."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "Request":
                return f"{ast.literal_eval(node.args[0])} {text_of(node.args[1], assigned(function))}"
            if node.func.id == "Listing":
                return f"GET {text_of(node.args[0], assigned(function))}, for each page"
    return ""


def signature_of(function: ast.FunctionDef) -> str:
    """Return parameters and answer as they are written, without `self` and `timeout`."""
    written = re.sub(r"(, \*)?, timeout: float \| None=None$", "", ast.unparse(function.args))
    written = re.sub(r"^self(, )?", "", written).replace("=", " = ")
    return f"{function.name}({written}) -> {ast.unparse(function.returns) if function.returns else 'None'}"


def methods_of(group: ast.ClassDef) -> Iterable[ast.FunctionDef]:
    """Return the public methods of a group."""
    return (one for one in group.body if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"))


def about_group(name: str, types: Types) -> Iterator[str]:
    """Yield the lines about a group."""
    tree = parsed(ROOT / "poststack" / "_sync" / f"{name}.py")
    group = next(one for one in tree.body if isinstance(one, ast.ClassDef))
    yield f"## {name}\n\n{flowing(ast.get_docstring(group))}\n"
    for method in methods_of(group):
        signature, request = signature_of(method), request_of(method)
        named = [kind for kind in dict.fromkeys(re.findall(r"\w+", signature)) if kind in types.names]
        yield f"### {name}.{method.name}\n"
        yield f"`{signature}`  " if request else f"`{signature}`\n"
        if request:
            line, comma, pages = request.partition(",")
            yield f"`{line}`{comma}{pages}\n"
        yield flowing(ast.get_docstring(method)) + "\n"
        if named:
            yield "Types: " + ", ".join(f"[{kind}](#{kind.lower()})" for kind in named) + "\n"
    yield f"### Types of {name}\n"
    yield from types.page(name)


def groups() -> list[str]:
    """Return the names of all groups, `emails` first."""
    names = sorted(path.stem for path in (ROOT / "poststack" / "types").glob("[a-z]*.py") if path.stem != "common")
    return sorted(names, key=lambda name: name != "emails")


def page() -> str:
    """Return the whole page."""
    types = Types()
    lines = [HEAD, *(f"- [`{name}`](#{name})" for name in groups()), "- [Types of several groups](#shared-types)", ""]
    for name in groups():
        lines += about_group(name, types)
    lines += ["## Shared types\n", *types.page("common")]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write or compare."""
    wanted = page()
    if "--check" in sys.argv[1:]:
        stale = not PAGE.exists() or PAGE.read_text("utf-8") != wanted
        if stale:
            print("reference: docs/api.md is not up to date. Run: python -m tools.reference")
        return int(stale)
    PAGE.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
