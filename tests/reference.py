"""docs/reference.md, made of the docstrings: every public name of sipswarm, its arguments, attributes and errors.

`python -m tests.reference` writes the page; a test compares it. griffe reads the sources, and nothing of them is run.
`gaps` names what has no words: a public name, method, attribute or argument without them. What says of itself that it
is "not for users", or has a name with an underscore, is left out. Not a test.
"""

import ast
import itertools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import griffe

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "reference.md"
COMMAND: Final = "python -m tests.reference"
GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "User agents": ("UserAgent", "RobotAgent"),
    "Calls": ("Call", "CallParameters", "State", "StreamStatistics", "Ladder"),
    "Media": ("MediaHandler", "echo", "play", "record", "send_recv", "silence", "tone", "MediaLease"),
    "Requests outside of calls": ("Subscription", "Notified", "ServedSubscription"),
    "Metrics of your own": ("OwnCounter", "OwnGauge", "OwnHistogram", "serve_metrics"),
    "Messages": ("Request", "Response", "Uri"),
    "Arguments": ("Auth", "Callback", "StopVariable", "Robot", "Row", "Listener", "TlsConfig", "Lookup"),
    "Errors": (
        "SwarmError", "ConfigurationError", "CallError", "CallRejected", "CallTimeout", "CallEnded", "HostUnreachable",
        "MediaError", "RequestEnded", "Overloaded", "LocalProtocolError",
    ),
}  # fmt: skip
"""The chapters of the page. A public name that is in none of them comes in the last one."""
CONSTRUCTED: Final = frozenset(("UserAgent", "Call", "MediaHandler", "Listener", "TlsConfig", "StopVariable", "Uri"))
"""The classes that users make; the others they get."""
ONLY: Final[Mapping[str, frozenset[str]]] = {
    "CallParameters": frozenset(("get", "has")),
    "Ladder": frozenset(("lines", "full")),
    "MediaLease": frozenset(),
    "Row": frozenset(("field",)),
    "ServedSubscription": frozenset(("notify", "end", "over")),
    "Subscription": frozenset(("end",)),
    "Uri": frozenset(("parse", "replace")),
}
"""The methods that users have of a class, where it has others."""
LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {
    "Call": frozenset(
        (
            "attend", "receive_by", "came", "miss", "judged", "close_record", "close", "call_back", "decide",
            "send_invite", "start_under_plays",
        )
    ),
    "CallError": frozenset(("again",)),
    "MediaLease": frozenset(("sockets", "ready", "line", "worker")),
}  # fmt: skip
"""What is no user's, and does not say so itself."""
FURTHER: Final = "Further names"
OPENING: Final = f"""# Python reference

Every name is imported from `sipswarm`. This page is made of the docstrings by `{COMMAND}`. The pages about
[robots](robots.md), [requests outside of calls](requests.md), [media](media.md) and
[testing with pytest](testing-with-pytest.md) have the programs. Times are in seconds unless a name or its text says
otherwise. Sections are those of the RFC that is named.
"""
NOT_FOR_USERS: Final = "not for users"
WIDTH: Final = 100
"""Characters of a signature in one line."""
_WORD: Final = re.compile(r"\w+")
_LIST: Final = re.compile(r", *")
_STARS: Final = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}


def package(root: Path = ROOT) -> griffe.Module:
    """Read the sources of the package."""
    loader = griffe.GriffeLoader(search_paths=[root], docstring_parser=griffe.Parser.google, allow_inspection=False)
    found = loader.load("sipswarm", try_relative_path=False)
    assert isinstance(found, griffe.Module)
    return found


def public(module: griffe.Module) -> dict[str, griffe.Object]:
    """Return the public names of the package with what they stand for, without `__version__`."""
    names = [str(each) for each in module.exports or ()]
    return {name: _target(module.members[name]) for name in names if not name.startswith("__")}


def _target(found: griffe.Object | griffe.Alias) -> griffe.Object:
    return found.final_target if isinstance(found, griffe.Alias) else found


# ---- what belongs to a class


def bases_of(class_: griffe.Class, names: Mapping[str, griffe.Object]) -> list[str]:
    """Return the public names among its bases, whose members are not shown again."""
    known = {found.path: name for name, found in names.items()}
    return [known[base.path] for base in class_.resolved_bases if base.path in known]


def members_of(class_: griffe.Class, names: Mapping[str, griffe.Object]) -> dict[str, griffe.Object]:
    """Return what users have of a class, in the order of the source: its own, and that of bases that are not public."""
    found: dict[str, griffe.Object] = {}
    for owner in _own_classes(class_, names):
        for name, member in {**owner.members, **_in_pairs(owner)}.items():
            target = _target(member)
            is_better = name not in found or (_words(target) and not _words(found[name]))
            if is_better and _is_for_users(class_.name, name, target):
                found[name] = target
    return found


def _own_classes(class_: griffe.Class, names: Mapping[str, griffe.Object]) -> list[griffe.Class]:
    """Return a class and those of its bases that have no entry of their own."""
    shown = {each.path for each in names.values()}
    return [class_, *(base for base in class_.mro() if base.path not in shown)]


def _in_pairs(class_: griffe.Class) -> dict[str, griffe.Attribute]:
    """Return the attributes that stand in one assignment (`kept, adopted = "", False`), which griffe leaves out."""
    assert isinstance(class_.filepath, Path)
    tree = ast.parse(class_.filepath.read_text())
    (body,) = [node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == class_.name]
    found = {}
    for node, follower in itertools.pairwise(body):
        match node, follower:
            case (
                ast.Assign(targets=[ast.Tuple(elts=targets)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                parts = text.rstrip(".").split("; ")
                for target, part in zip(targets, parts, strict=True):
                    name = ast.unparse(target)
                    words = griffe.Docstring(f"{part[0].upper()}{part[1:]}.")
                    found[name] = griffe.Attribute(name, docstring=words, parent=class_)
    return found


def _is_for_users(class_: str, name: str, member: griffe.Object) -> bool:
    if name.startswith("_") or NOT_FOR_USERS in _words(member) or name in LEFT_OUT.get(class_, ()):
        return False
    if isinstance(member, griffe.Function):
        return class_ not in ONLY or name in ONLY[class_]
    return isinstance(member, griffe.Attribute)


def _words(found: griffe.Object) -> str:
    return found.docstring.value if found.docstring is not None else ""


def _all_words(class_: griffe.Class, names: Mapping[str, griffe.Object]) -> str:
    """Return what a class and its bases that are not public say of themselves."""
    return "\n\n".join(_words(each) for each in _own_classes(class_, names))


def _said_of(class_: griffe.Class) -> dict[str, str]:
    """Return what the docstring of a class says of its arguments and attributes, by their names."""
    found = {}
    for section in _sections(class_):
        if isinstance(section, griffe.DocstringSectionParameters | griffe.DocstringSectionAttributes):
            found.update({name: each.description for each in section.value for name in _LIST.split(each.name)})
    return found


def _sections(found: griffe.Object) -> list[griffe.DocstringSection]:
    return [] if found.docstring is None else found.docstring.parse("google", warnings=False)


def _init_of(class_: griffe.Class) -> griffe.Function | None:
    """Return the constructor of a class that users make: a written one, or that of a dataclass."""
    found = class_.members.get("__init__")
    return found if isinstance(found, griffe.Function) and class_.name in CONSTRUCTED else None


# ---- what has no words


def gaps(names: Mapping[str, griffe.Object]) -> Iterator[str]:
    """Yield the public names, members and arguments that no docstring says anything of."""
    for name, found in names.items():
        if not _words(found):
            yield f"{name}: no docstring"
        if isinstance(found, griffe.Function):
            yield from _unsaid(name, found, _words(found))
        if isinstance(found, griffe.Class):
            init = _init_of(found)
            if init is not None and "dataclass" not in found.labels:
                yield from _unsaid(name, init, _words(found) + _words(init) + _attribute_names(found))
            for member, each in members_of(found, names).items():
                if not _words(each) and member not in _WORD.findall(_all_words(found, names)):
                    yield f"{name}.{member}: no docstring"
                if isinstance(each, griffe.Function):
                    yield from _unsaid(f"{name}.{member}", each, _words(each))


def _unsaid(name: str, function: griffe.Function, text: str) -> Iterator[str]:
    """Yield the arguments that a text does not name. A function with one argument says in its sentence what it is."""
    said = set(_WORD.findall(text))
    arguments = _arguments(function)
    if text and len(arguments) == 1:
        return
    for each in arguments:
        if each.name not in said:
            yield f"{name}: nothing about the argument {each.name}"


def _attribute_names(class_: griffe.Class) -> str:
    return " ".join(name for name, each in class_.members.items() if _words(_target(each)))


def _arguments(function: griffe.Function) -> list[griffe.Parameter]:
    """Return the arguments that a caller gives."""
    return [each for each in function.parameters if each.name not in {"self", "cls"}]


# ---- the page


def page(names: Mapping[str, griffe.Object]) -> str:
    """Return the whole page."""
    listed = {name for group in GROUPS.values() for name in group}
    groups = {**GROUPS, FURTHER: [name for name in names if name not in listed]}
    chapters = {title: [name for name in group if name in names] for title, group in groups.items()}
    parts = [OPENING]
    for title, group in chapters.items():
        if group:
            links = ", ".join(f"[{name}](#{name.lower()})" for name in group)
            parts.append(f"**{title}**: {links}\n")
    for title, group in chapters.items():
        if group:
            parts.append(f"## {title}\n")
        for name in group:
            parts.extend(_entry(name, names[name], names))
    return "\n".join(parts)


def _entry(name: str, found: griffe.Object, names: Mapping[str, griffe.Object]) -> Iterator[str]:
    yield f"### {name}\n"
    if isinstance(found, griffe.Function):
        yield from _function(name, found)
    elif isinstance(found, griffe.Class):
        yield from _class(name, found, names)
    else:
        if isinstance(found, griffe.Attribute) and found.value is not None:
            yield _code(f"{name} = {found.value}")
        yield from _text(found, None)


def _class(name: str, found: griffe.Class, names: Mapping[str, griffe.Object]) -> Iterator[str]:
    init = _init_of(found)
    if init is not None:
        yield _code(_signature(name, init, returns=False))
    bases = bases_of(found, names)
    if bases:
        yield f"Has everything of {', '.join(f'[{base}](#{base.lower()})' for base in bases)}.\n"
    for owner in _own_classes(found, names):
        if owner is found or "\n" in _words(owner).strip():  # one sentence says what a part is, to its readers only
            yield from _text(owner, init)
    said, members = _said_of(found), members_of(found, names)
    attributes = {each: one for each, one in members.items() if isinstance(one, griffe.Attribute)}
    if attributes:
        rows = [
            (f"`{each}`", _type(one.annotation), _line(_words(one) or said.get(each, "")))
            for each, one in attributes.items()
        ]
        yield from _table(("attribute", "type", "meaning"), rows)
    for each, one in members.items():
        if isinstance(one, griffe.Function):
            yield f"#### {name}.{each}\n"
            yield from _function(f"{name}.{each}", one)


def _function(name: str, function: griffe.Function) -> Iterator[str]:
    is_async = "async" in function.labels
    for each in function.overloads or [function]:
        text = _signature(name.rpartition(".")[2], each)
        yield _code(f"await {text}" if is_async else text)
    yield from _text(function, function)


def _signature(name: str, function: griffe.Function, *, returns: bool = True) -> str:
    """Return the call of a function as it is written: on one line, or an argument on each."""
    parts = []
    is_named = False
    for each in _arguments(function):
        stars = _STARS.get(each.kind, "") if each.kind is not None else ""
        if each.kind is griffe.ParameterKind.keyword_only and not is_named:
            parts.append("*")
        is_named = is_named or each.kind in {griffe.ParameterKind.keyword_only, griffe.ParameterKind.var_positional}
        typed = f"{stars}{each.name}" + (f": {each.annotation}" if each.annotation is not None else "")
        default = f" = {_default(each.default)}" if each.default is not None and not stars else ""
        parts.append(typed + default)
    end = f" -> {function.returns}" if returns and function.returns is not None else ""
    line = f"{name}({', '.join(parts)}){end}"
    if len(line) <= WIDTH:
        return line
    return "\n".join((f"{name}(", *(f"    {part}," for part in parts), f"){end}"))


def _text(found: griffe.Object, function: griffe.Function | None) -> Iterator[str]:
    """Yield the docstring: its text, a table of the arguments, what is returned, and a table of the errors."""
    for section in _sections(found):
        match section:
            case griffe.DocstringSectionAttributes():
                continue  # in the table of the attributes
            case griffe.DocstringSectionParameters() if function is None:
                continue  # of a constructor that is no user's
            case griffe.DocstringSectionText():
                yield f"{section.value.strip()}\n"
            case griffe.DocstringSectionParameters():
                rows = [
                    (_names(each.name), *_declared(each.name, function), _line(each.description))
                    for each in section.value
                ]
                yield from _table(("argument", "type", "default", "meaning"), rows)
            case griffe.DocstringSectionRaises():
                errors = [(_names(str(each.annotation).strip("()")), _line(each.description)) for each in section.value]
                yield from _table(("error", "when"), errors)
            case griffe.DocstringSectionReturns():
                yield f"Returns: {' '.join(_line(each.description) for each in section.value)}\n"
            case griffe.DocstringSectionAdmonition():
                yield f"{section.title}: {_line(section.value.description)}\n"
            case _:
                raise NotImplementedError(f"{found.path}: a section of kind {section.kind.value} in the docstring")


def _names(text: str) -> str:
    """Return each name of a list as code."""
    return ", ".join(f"`{name}`" for name in _LIST.split(text.strip()))


def _declared(text: str, function: griffe.Function | None) -> tuple[str, str]:
    """Return type and default of an argument; of several in one line, which all have their own, neither."""
    if function is None or text not in {each.name for each in function.parameters}:
        return "", ""
    found = function.parameters[text]
    default = "" if found.default is None or found.kind in _STARS else f"`{_cell(_default(found.default))}`"
    return _type(found.annotation), default


def _default(given: object) -> str:
    """Return a default; that of a field which an option fills is the first argument of `option`."""
    text = str(given)
    if not text.startswith("option("):
        return text
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    return ast.unparse(call.args[0])


def _type(annotation: object) -> str:
    return "" if annotation is None else f"`{_cell(str(annotation).strip(chr(34)))}`"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield a table without the columns that are empty in all rows."""
    used = [number for number in range(len(head)) if any(row[number] for row in rows)]
    lines = [[row[number] for number in used] for row in (head, ["---"] * len(head), *rows)]
    yield "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _line(text: str) -> str:
    return _cell(" ".join(text.split()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    return f"```py\n{text}\n```\n"


if __name__ == "__main__":
    found = public(package())
    for gap in gaps(found):
        print(gap, file=sys.stderr)  # noqa: T201 - a command
    PAGE.write_text(page(found))
