"""What a source file may import and contain: rules as data, and their reader. `layers` has the directions of imports.

Every rule takes a `Source`, or all of them, and gives back findings, sentences that say where and what. Reads text with
ast, runs nothing of what it reads, and knows the folders of this project only through the tables at the top. What does
not keep a rule yet is named in `architecture_exceptions`, each with its place; such a list can only become shorter,
because an entry that nothing needs any more is a finding too.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from re import _constants as opcodes  # type: ignore[attr-defined]  # the parser of re has no stubs
from re import _parser as pattern_parser  # type: ignore[attr-defined]  # as above
from typing import Any

from .architecture_exceptions import LONG_FILES

PACKAGES = ("sipswarm", "actors", "sipcore", "media")
LONGEST_FILE = 800

OURS_ALLOWED = {
    "sipcore": {"sipcore"},
    "media": {"media"},
    "actors": {"actors", "sipcore", "media"},
    "sipswarm": {"sipswarm", "actors", "sipcore", "media"},
}

PURE_STDLIB = frozenset(
    [
        "__future__",
        "abc",
        "array",
        "base64",
        "binascii",
        "bisect",
        "calendar",
        "cmath",
        "collections",
        "contextlib",
        "copy",
        "copyreg",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "hashlib",
        "heapq",
        "hmac",
        "ipaddress",
        "itertools",
        "json",
        "keyword",
        "math",
        "numbers",
        "operator",
        "re",
        "reprlib",
        "statistics",
        "string",
        "stringprep",
        "struct",
        "sys",
        "textwrap",
        "types",
        "typing",
        "unicodedata",
        "urllib.parse",
        "weakref",
        "zlib",
    ]
)
"""Modules of the standard library without I/O, clock, randomness, threads or logging."""

SEEDED = "random.Random"
"""A pure file of actors may draw from this with a seed that it is given: the same numbers every time."""

MEDIA_IO = {
    "media/beside.py",
    "media/disk.py",
    "media/engine.py",
    "media/endpoint.py",
    "media/relay.py",
    "media/sockets.py",
}
"""The socket and engine files of media: they may touch sockets and clocks."""
MEDIA_FILES = {"media/audio/files.py", "media/captures.py", "media/sources.py", "media/sinks.py"}
"""Files of media that may open files, and nothing more."""
FILE_STDLIB = PURE_STDLIB | {"errno", "io", "os", "stat", "pathlib", "wave", "contextlib", "mmap", "os.path"}

ACTORS_PURE_FOLDERS = {
    "actors/call/": set[str](),
    "actors/runtime/": {"actor_loop", "callbacks", "steps", "user_turns"},
    "actors/trace/": {"file", "recorder"},
    "actors/sipp/": {"injection_reading", "scenario_file"},
}
"""Folders of actors that know neither I/O nor clock nor chance, but for the named files."""
ACTORS_PURE = {
    "actors/bus/messages.py",
    "actors/bus/slots.py",
    "actors/call_worker/call_slices.py",
    "actors/counting/slices.py",
    "actors/counting/spread.py",
    "actors/diagnosis/failure_reasons.py",
    "actors/diagnosis/foreign_text.py",
    "actors/diagnosis/request_loss.py",
    "actors/load/concurrency.py",
    "actors/load/description.py",
    "actors/load/expectations.py",
    "actors/load/health.py",
    "actors/load/schedule.py",
    "actors/load/tally.py",
    "actors/load/thresholds.py",
    "actors/load/timeline.py",
    "actors/supervisor/awake_clock.py",
    "actors/supervisor/poison.py",
    "actors/supervisor/restart_policy.py",
}
"""Single files of actors that are as pure."""
THIRD_PARTY_HOMES = {
    "zmq": ("actors/bus/link.py",),
    "msgpack": ("actors/bus/wire.py",),
    "uvloop": ("actors/host/event_loop.py",),
    "prometheus_client": ("actors/supervisor/exposition.py",),
    "dns": ("actors/transport/names/dns_lookup.py",),
    "click": ("actors/cli/",),
    "rich": ("actors/cli/",),
    "numpy": ("media/",),
    "pytest": ("sipswarm/pytest_plugin/",),
    "pytest_asyncio": ("sipswarm/pytest_plugin/asyncio_loop.py",),
}
"""A library and the only files that may import it; a name with a slash at its end is a folder."""

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}


BY_TEXT = {"import_module", "__import__"}
UNKNOWN = "?"
"""Stands for a module whose name a file makes while it runs."""


def is_pure(path: str) -> bool:
    """Whether a file of actors may know neither I/O nor clock nor chance."""
    for folder, impure in ACTORS_PURE_FOLDERS.items():
        if path.startswith(folder):
            return path.removeprefix(folder).removesuffix(".py") not in impure
    return path in ACTORS_PURE


@dataclass(frozen=True)
class Import:
    """One imported module, absolute, and where."""

    module: str
    line: int
    relative: bool
    top_level: bool
    """executed when the file is imported: outside functions and outside `if TYPE_CHECKING`"""


@dataclass(frozen=True)
class Source:
    """One file: its path from the project's root, with slashes, and its text."""

    path: str
    text: str

    @classmethod
    def read(cls, root: Path, file: Path) -> "Source":
        return cls(file.relative_to(root).as_posix(), file.read_text(encoding="utf-8"))

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the tree, breadth first."""
        return list(ast.walk(self.tree))

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """The classes at the top of the file by their names; of two with one name the last."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    @cached_property
    def attributes(self) -> frozenset[str]:
        """What the classes at the top of the file declare or assign to `self`."""
        return frozenset(name for node in self.classes.values() for name in _declared(node))

    @property
    def package(self) -> str:
        return self.path.partition("/")[0]

    @property
    def module(self) -> str:
        name = self.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        return name if self.package == "sipswarm" or self.package not in PACKAGES else f"sipswarm.{name}"

    @property
    def sans_io(self) -> bool:
        """Whether the file may know neither I/O nor clock nor chance."""
        if self.package == "media":
            return self.path not in MEDIA_IO | MEDIA_FILES
        return self.package == "sipcore" or is_pure(self.path)

    @property
    def folder(self) -> str:
        """The folder of its package that the file is in, or its own name when it stands beside the folders."""
        inner = self.path.partition("/")[2]
        return inner.partition("/")[0] if "/" in inner else inner.removesuffix(".py")

    @cached_property
    def imports(self) -> list[Import]:
        return list(self._imports(self.tree, top_level=True))

    def _imports(self, node: ast.AST, *, top_level: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for name in child.names:
                    yield Import(name.name, child.lineno, False, top_level)
            elif isinstance(child, ast.ImportFrom):
                yield from self._from(child, top_level)
            else:
                if isinstance(child, ast.Call):
                    yield from self._by_text(child, top_level)
                inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
                yield from self._imports(child, top_level=top_level and not inside and not typing_only)

    def _by_text(self, node: ast.Call, top_level: bool) -> Iterator[Import]:
        """A module that is imported by a function; its name is a text, or it is unknown here and named so."""
        if ast.unparse(node.func).rpartition(".")[2] not in BY_TEXT or not node.args:
            return
        first = node.args[0]
        name = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else UNKNOWN
        relative = name.startswith(".")
        own = self.module if self.path.endswith("__init__.py") else self.module.rpartition(".")[0]
        given = [each.value for each in node.args[1:] if isinstance(each, ast.Constant)]
        folder = given[0] if given and isinstance(given[0], str) else own
        yield Import(f"{folder}{name}" if relative else name, node.lineno, relative, top_level)

    def _from(self, node: ast.ImportFrom, top_level: bool) -> Iterator[Import]:
        origin = node.module or ""
        if node.level:
            parts = self.module.split(".")
            if not self.path.endswith("__init__.py"):
                parts.pop()
            parts = parts[: len(parts) - node.level + 1]
            origin = ".".join([*parts, origin] if origin else parts)
        for name in node.names:
            # `from . import routing` names a module, `from .routing import slot_of` a thing in one: both are kept.
            yield Import(f"{origin}.{name.name}", node.lineno, node.level > 0, top_level)


Rule = Callable[[Source], Iterator[str]]


def _at(source: Source, line: int, text: str) -> str:
    return f"{source.path}:{line}: {text}"


def _root(module: str) -> str:
    """The package of ours that a module is in, by its folder, else the name at its beginning."""
    first, _, rest = module.partition(".")
    second = rest.partition(".")[0]
    return second if first == "sipswarm" and second in PACKAGES else first


def _is_stdlib(module: str) -> bool:
    return _root(module) in sys.stdlib_module_names


def _listed(module: str, allowed: frozenset[str]) -> bool:
    """Whether a stdlib import is on a list; the list names packages (`json`) or one module of them (`urllib.parse`)."""
    parts = module.split(".")
    return any(".".join(parts[:count]) in allowed for count in range(1, len(parts) + 1))


def our_direction(source: Source) -> Iterator[str]:
    """Of our packages only those below; relative inside a package, absolute between packages, under one name each."""
    for item in source.imports:
        root = _root(item.module)
        if root not in PACKAGES:
            continue
        if root == item.module.partition(".")[0] != "sipswarm":
            yield _at(source, item.line, f"write sipswarm.{item.module}: {root} is the name of somebody else's module")
        if root not in OURS_ALLOWED[source.package]:
            yield _at(source, item.line, f"{source.package} must not import {root}")
        elif root == source.package and not item.relative:
            yield _at(source, item.line, f"import {item.module} relatively, it is the same package")


def third_party(source: Source) -> Iterator[str]:
    """A library is imported in its one home, and sipcore and the face import none; a module is named where it is."""
    for item in source.imports:
        root = _root(item.module)
        if item.module == UNKNOWN:
            if not source.path.endswith("__init__.py"):
                yield _at(source, item.line, "imports what nobody can see: name the module in an import statement")
            continue
        if root in PACKAGES or _is_stdlib(item.module):
            continue
        homes = THIRD_PARTY_HOMES.get(root)
        if homes is None:
            if source.package != "media":
                yield _at(source, item.line, f"{root} has no home in the architecture")
        elif not any(source.path == home or (home[-1] == "/" and source.path.startswith(home)) for home in homes):
            yield _at(source, item.line, f"{root} belongs in {' or '.join(homes)}")


def one_file_per_codec_library(sources: list[Source]) -> Iterator[str]:
    """In media every library but numpy is behind one file."""
    users: dict[str, set[str]] = {}
    for source in sources:
        for item in source.imports:
            root = _root(item.module)
            if source.package == "media" and root not in {*PACKAGES, "numpy", UNKNOWN} and not _is_stdlib(item.module):
                users.setdefault(root, set()).add(source.path)
    for library, files in sorted(users.items()):
        if len(files) > 1:
            yield f"{library} is imported by {len(files)} files, one is enough: {', '.join(sorted(files))}"


def pure_stdlib(source: Source) -> Iterator[str]:
    """No I/O, clock, randomness, threads or logging where a file is to be pure."""
    if source.path.endswith("__init__.py"):
        return
    if source.path in MEDIA_FILES:
        allowed = frozenset(FILE_STDLIB)
    elif source.sans_io:
        allowed = PURE_STDLIB
    else:
        return
    for item in source.imports:
        if item.module == SEEDED and source.package == "actors":
            continue
        if _is_stdlib(item.module) and not _listed(item.module, allowed):
            yield _at(source, item.line, f"{item.module} is I/O, clock, chance, thread or log: not in this file")
    if source.path in MEDIA_FILES:
        return
    for node in source.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "Random" and not node.args:
                yield _at(source, node.lineno, "Random() without a seed is chance")
            if node.func.id in {"open", "print", "input", "breakpoint", "__import__", "exec", "eval"}:
                yield _at(source, node.lineno, f"{node.func.id}() in a file without I/O")
        elif isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"} and _is_date(node.value):
            yield _at(source, node.lineno, f"{node.attr} reads the clock: time is an argument here")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            chance = node.value.attr == "random" and isinstance(node.value.value, ast.Name)
            if chance and node.attr not in {"Generator", "BitGenerator"}:
                yield _at(source, node.lineno, f"random.{node.attr}: chance is an argument here")


def _is_date(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node).rpartition(".")[2] in {"datetime", "date"}


def no_async_in_sans_io(source: Source) -> Iterator[str]:
    """Engines are synchronous: coroutines belong to shells."""
    if not source.sans_io and source.package != "media":
        return
    for node in source.nodes:
        if isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith | ast.Await):
            yield _at(source, node.lineno, "async in a sans-IO file")


def short_enough(source: Source) -> Iterator[str]:
    """At most 800 lines, or a reason."""
    lines = source.text.count("\n") + (not source.text.endswith("\n"))
    if lines > LONGEST_FILE and source.path not in LONG_FILES:
        yield _at(source, lines, f"{lines} lines, {LONGEST_FILE} is the limit: one noun a file")


def telling_name(source: Source) -> Iterator[str]:
    """A file is named after its noun, and opens by saying what it is."""
    stem = source.path.rpartition("/")[2].removesuffix(".py")
    if stem in VAGUE_NAMES:
        yield _at(source, 1, f"{stem} names no noun")
    if source.text.strip() and ast.get_docstring(source.tree) is None:
        yield _at(source, 1, "no docstring at the top: what it is, which RFC section, what it refuses to know")


def lean_init(source: Source) -> Iterator[str]:
    """`__init__.py` is a docstring and a lazy re-export; importing a package imports nothing of it."""
    if not source.path.endswith("__init__.py"):
        return
    for item in source.imports:
        if item.top_level and not (_is_stdlib(item.module) and _root(item.module) in {"typing", "importlib"}):
            yield _at(source, item.line, f"{item.module} is imported eagerly")
    for number, node in enumerate(source.tree.body):
        match node:
            case ast.Expr(value=ast.Constant(value=str())) if number == 0:
                continue
            case ast.Import() | ast.ImportFrom() | ast.Assign() | ast.AnnAssign():
                continue
            case ast.If(test=test) if "TYPE_CHECKING" in ast.dump(test):
                continue
            case ast.FunctionDef(name="__getattr__" | "__dir__"):
                continue
        yield _at(source, getattr(node, "lineno", 1), "more than a docstring and a lazy re-export")


def fixed_patterns(source: Source) -> Iterator[str]:
    """Regular expressions over what a peer sent are compiled once, at the top of a file, under a name."""
    if source.package not in {"sipcore", "media"}:
        return
    top = {id(node.value) for node in source.tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and node.value}
    for item in source.imports:
        if item.module.startswith("re."):
            yield _at(source, item.line, "write `import re`, so that patterns can be found")
    for node in source.nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=verb)):
                if verb != "escape" and not (verb == "compile" and id(node) in top):
                    yield _at(source, node.lineno, f"re.{verb} in passing: compile the pattern at the top of the file")


DESCRIPTOR = {"__get__", "__set__", "__delete__", "__set_name__"}


def compilable(source: Source) -> Iterator[str]:
    """A module of sipcore compiles from the same source (mypyc): fixed classes, constants that are Final."""
    if source.package != "sipcore":
        return
    for node in source.nodes:
        match node:
            case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body) | ast.If(body=body):
                for each in body:
                    if isinstance(each, ast.ClassDef):
                        yield _at(source, each.lineno, f"{each.name} stands in a function or an if")
            case ast.ClassDef():
                yield from _compilable_class(source, node)
            case ast.Attribute(value=ast.Name(id="object"), attr="__setattr__"):
                yield _at(source, node.lineno, "object.__setattr__")
            case ast.Attribute(attr="__slots__"):
                yield _at(source, node.lineno, "__slots__ is read: a compiled class has none")


def _compilable_class(source: Source, node: ast.ClassDef) -> Iterator[str]:
    bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
    is_enum = any(base.endswith("Enum") for base in bases)
    is_record = "NamedTuple" in bases or any("dataclass" in ast.unparse(each) for each in node.decorator_list)
    for each in node.body:
        match each:
            case ast.FunctionDef(name=name) if name in DESCRIPTOR:
                yield _at(source, each.lineno, f"{node.name} is a descriptor")
            case ast.FunctionDef(name="__init__") if is_enum:
                yield _at(source, each.lineno, f"the Enum {node.name} has an __init__")
            case ast.Assign(targets=[ast.Name(id=name)]) if not is_enum and name != "__slots__":
                yield _at(source, each.lineno, f"{node.name}.{name} is neither Final nor ClassVar")
            case ast.AnnAssign(annotation=annotation, value=ast.expr()) if not is_record:
                if not any(word in ast.unparse(annotation) for word in ("Final", "ClassVar")):
                    yield _at(source, each.lineno, f"{ast.unparse(each.target)} is neither Final nor ClassVar")


SCANS = {"search", "findall", "finditer", "split", "sub", "subn"}


def linear_patterns(source: Source, patterns: Mapping[str, re.Pattern[Any]]) -> Iterator[str]:
    """The compiled patterns of a file take linear time: no repeat inside a repeat, and scans that cannot overlap."""
    for name, pattern in patterns.items():
        if _nested_repeat(pattern_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE), inside=False):
            yield f"{source.path}: {name} has a repeat inside a repeat: {pattern.pattern!r}"
    for node in source.nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=verb) if verb in SCANS and name in patterns:
                pattern = patterns[name]
                if _overlaps(list(pattern_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))):
                    text = f"{name}.{verb} may read the same text again and again: {pattern.pattern!r}"
                    yield _at(source, node.lineno, text)


def _repeats(parsed: Any) -> Iterator[tuple[int, Any]]:
    """(most times, what) of every repeat directly or indirectly in a parsed pattern's top level."""
    for operation, argument in parsed:
        if operation in {opcodes.MAX_REPEAT, opcodes.MIN_REPEAT, opcodes.POSSESSIVE_REPEAT}:
            yield argument[1], argument[2]
        else:
            for part in _parts(argument):
                yield from _repeats(part)


def _parts(argument: Any) -> Iterator[Any]:
    """Patterns inside the argument of an operation: groups, branches, lookarounds."""
    if isinstance(argument, pattern_parser.SubPattern):
        yield argument
    elif isinstance(argument, list | tuple):
        for item in argument:
            yield from _parts(item)


def _nested_repeat(parsed: Any, *, inside: bool) -> bool:
    for most, body in _repeats(parsed):
        many = most > 1
        if many and inside:
            return True
        if _nested_repeat(body, inside=inside or many):
            return True
    return False


def _overlaps(items: list[Any]) -> bool:
    """Whether a scan may begin inside what it has just read: quadratic time on hostile input.

    It cannot where the pattern is anchored, has no unbounded repeat or ends with its only one, or where it begins with
    a character that no unbounded repeat takes.
    """
    if items and items[0][0] == opcodes.AT and items[0][1] in {opcodes.AT_BEGINNING, opcodes.AT_BEGINNING_STRING}:
        return False
    bodies = [(index, body) for index, item in enumerate(items) for most, body in _repeats([item])
              if most >= opcodes.MAXREPEAT]  # fmt: skip
    if not bodies or [index for index, _ in bodies] == [len(items) - 1]:
        return False
    operation, argument = items[0]
    return operation != opcodes.LITERAL or any(_takes(body, argument) for _, body in bodies)


def _takes(body: Any, code: int) -> bool:
    """Whether a repeat's body may take this character; in doubt yes."""
    if len(body) != 1:
        return True
    operation, argument = body[0]
    if operation == opcodes.LITERAL:
        return bool(argument == code)
    if operation == opcodes.NOT_LITERAL:
        return bool(argument != code)
    if operation != opcodes.IN:
        return True
    negated = bool(argument[0][0] == opcodes.NEGATE)
    inside: bool = any(
        (kind == opcodes.LITERAL and value == code)
        or (kind == opcodes.RANGE and value[0] <= code <= value[1])
        or kind == opcodes.CATEGORY
        for kind, value in argument
    )
    return inside != negated


def frozen_records(source: Source) -> Iterator[str]:
    """Every class of a message vocabulary is a NamedTuple or a frozen slotted dataclass."""
    for name, node in record_classes(source):
        if _is_named_tuple(node):
            continue
        settings: dict[str, object] = {}
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("dataclass"):
                settings = {
                    word.arg: word.value.value
                    for word in decorator.keywords
                    if word.arg and isinstance(word.value, ast.Constant)
                }
        if settings.get("frozen") is not True or settings.get("slots") is not True:
            yield _at(source, node.lineno, f"{name} is neither a NamedTuple nor a frozen slotted dataclass")


def record_classes(source: Source) -> Iterator[tuple[str, ast.ClassDef]]:
    """The classes of a vocabulary file, enums apart: those are values inside records."""
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef) and not any("Enum" in ast.unparse(parent) for parent in node.bases):
            yield node.name, node


def _is_named_tuple(node: ast.ClassDef) -> bool:
    return any(ast.unparse(parent).rpartition(".")[2] == "NamedTuple" for parent in node.bases)


def impure_reach(sources: list[Source]) -> Iterator[str]:
    """What a pure file of actors loads, and what that loads in turn, is as pure as itself."""
    modules = {source.module: source for source in sources}
    for first in sources:
        if first.package != "actors" or not is_pure(first.path):
            continue
        seen: set[str] = set()
        ahead = [first]
        while ahead:
            source = ahead.pop()
            if source.path in seen:
                continue
            seen.add(source.path)
            for item in source.imports:
                ours = modules.get(item.module) or modules.get(item.module.rpartition(".")[0])
                if not item.top_level or item.module == SEEDED:
                    continue
                if ours is not None:
                    ahead.append(ours)
                elif not _is_stdlib(item.module) or not _listed(item.module, PURE_STDLIB):
                    yield _at(
                        source, item.line, f"{item.module}, which {first.path} must not load, even through others"
                    )


def typing_blocks(source: Source) -> Iterator[str]:
    """No `if TYPE_CHECKING` but in `__init__.py`: what is imported for its type is imported."""
    if source.path.endswith("__init__.py"):
        return
    for node in source.nodes:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield _at(source, node.lineno, "if TYPE_CHECKING hides a dependency")


LIBRARY_ATTRIBUTES = {
    "__cause__": "of an exception: `raise … from` sets it only where the exception is raised",
    "__file__": "of a module that is made from a file of the user's (types.ModuleType)",
    "check_hostname": "of an ssl.SSLContext, which has no method for it",
    "minimum_version": "of an ssl.SSLContext",
    "verify_mode": "of an ssl.SSLContext",
    "sys.stderr": "of the sys module",
    "sys.stdout": "of the sys module",
}
"""Attributes of objects of the standard library that are there to be assigned, each with the reason."""


def foreign_assignments(source: Source, folder: Iterable[Source] = ()) -> dict[str, int]:
    """What a file assigns to attributes of objects whose classes stand elsewhere, with the line.

    A file's own are the attributes that its classes declare or assign to `self`, and in sipcore and media those of its
    whole folder: the parts of a session share its core, those of a stream its sender. `value` is that of a counter's
    cell, which is there to be added to. `LIBRARY_ATTRIBUTES` are no objects of ours.

    Args:
        folder: all files of the packages, of which those of the same folder count.
    """
    own: set[str] = {"value"} | source.attributes
    if source.package != "actors":
        for other in folder:
            if other.path.rpartition("/")[0] == source.path.rpartition("/")[0]:
                own |= other.attributes
    found = {
        ast.unparse(node): node.lineno
        for node in source.nodes
        if isinstance(node, ast.Attribute)
        and not isinstance(node.ctx, ast.Load)
        and not _is_own(node.value)
        and not {node.attr, ast.unparse(node)} & (own | LIBRARY_ATTRIBUTES.keys())
    }
    for node in source.nodes:
        match node:
            case ast.Call(func=ast.Name(id="setattr" | "delattr") | ast.Attribute(attr="__setattr__" | "__delattr__")):
                if node.args and not _is_own(node.args[0]):
                    found[ast.unparse(node)] = node.lineno
            case ast.Call(func=ast.Attribute(value=table, attr="update" | "pop" | "clear" | "setdefault" | "popitem")):
                if _is_foreign_table(table):
                    found[ast.unparse(table)] = node.lineno
            case ast.Subscript(value=table, ctx=ast.Store() | ast.Del()) if _is_foreign_table(table):
                found[ast.unparse(table)] = node.lineno
    return found


def _declared(node: ast.ClassDef) -> Iterator[str]:
    for each in ast.walk(node):
        match each:
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                yield name
            case ast.Assign(targets=[ast.Name(id="__slots__")], value=slots):
                for slot in ast.walk(slots):
                    if isinstance(slot, ast.Constant) and isinstance(slot.value, str):
                        yield slot.value


def _is_own(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def _is_foreign_table(node: ast.expr) -> bool:
    """Whether this is the table in which another object keeps its attributes."""
    match node:
        case ast.Attribute(value=owner, attr="__dict__") | ast.Call(func=ast.Name(id="vars"), args=[owner]):
            return not _is_own(owner)
    return False


_NAME = r"(?:actors|sipcore|media)(?:\.\w+)*"
OTHER_NAME = re.compile(
    rf"(?:^|[\x22'`;(]|\\n) *(?:from {_NAME} import\b|import (?:[\w.]+, )*{_NAME}(?=$|[;,\x22'`\\]| as ))"
    rf"|-m\W{{1,4}}{_NAME}|(?:files|import_module|find_spec)\(\W{_NAME}",
    re.MULTILINE,
)


def other_names(source: Source) -> Iterator[str]:
    """Our packages by their folders' names, wherever a program is written: in code, in its strings, on a page."""
    for match in OTHER_NAME.finditer(source.text):
        yield _at(source, source.text.count("\n", 0, match.start()) + 1, f"{match[0].strip()}: write sipswarm.…")


def crash_boundaries(source: Source) -> Iterator[str]:
    """`except Exception` is the boundary at which a crash ends, and `FAILURES` are as wide: there are few."""
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler):
            if (node.type is None or _is_everything(node.type)) and not _raises_again(node):
                yield _at(source, node.lineno, "except Exception: there is one place for that")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "suppress":
            for each in filter(_is_everything, node.args):
                yield _at(source, node.lineno, f"suppress({ast.unparse(each)}): there is one place for that")


def _is_everything(node: ast.expr) -> bool:
    names = re.findall(r"\w+", ast.unparse(node))
    return not {"Exception", "BaseException", "FAILURES", "USER_FAILURES"}.isdisjoint(names)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise)


READING = {
    "startswith", "endswith", "partition", "rpartition", "split", "removeprefix", "removesuffix", "find", "index",
}  # fmt: skip


def read_causes(source: Source) -> Iterator[str]:
    """Causes are enums: nothing is read out of a reason's or an error's text."""
    for node in source.nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr=verb)) if verb in READING:
                words = re.split(r"\W+|_", ast.unparse(owner))
                if {"reason", "cause", "error", "problem", "failure"} & set(words):
                    yield _at(source, node.lineno, f"{ast.unparse(owner)}.{verb}: a cause is an enum, not a text")
            case ast.Compare(left=left, comparators=others):
                for each in (left, *others):
                    if isinstance(each, ast.Call) and re.fullmatch(r"(str|repr)\(\w*error\w*\)", ast.unparse(each)):
                        yield _at(source, node.lineno, f"{ast.unparse(node)}: a cause is an enum, not a text")


RULES: tuple[Rule, ...] = (
    our_direction,
    third_party,
    pure_stdlib,
    no_async_in_sans_io,
    short_enough,
    telling_name,
    lean_init,
    fixed_patterns,
    compilable,
)
"""What holds for every file of the packages."""
