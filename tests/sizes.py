"""How large classes, functions and files may be: a rule of the architecture, and its reader.

It counts what a reader has to hold in mind at once. What is larger is named in `architecture_exceptions`, with its size
and the reason.
"""

import ast
from collections.abc import Iterable, Mapping

from .architecture import Source

MOST_ATTRIBUTES = 20
MOST_METHODS = 20
MOST_PARAMETERS = 10
MOST_IMPORTS = 12


def sizes(source: Source, known: Iterable[Source] = ()) -> dict[str, int]:
    """What of a file is larger than the limit: attributes and public methods of a class, parameters, imports.

    The names are `Class attributes`, `Class methods`, `function parameters` and `imports`, the last being the number of
    files of its own package that it imports. What a class inherits from one of ours is its own. The fields of a
    NamedTuple or dataclass are its attributes only where it has methods besides: a record may be long.

    Args:
        known: the files in which bases of classes may stand.
    """
    found: dict[str, int] = {}
    if source.path.endswith("__init__.py"):
        return found
    package = f"sipswarm.{source.package}."
    own = {item.module.rpartition(".")[0] if item.relative else "" for item in source.imports}
    found["imports"] = len({name for name in own if name.startswith(package) and name != source.module})
    bases = {**classes_of(known), **classes_of([source])}
    for node in source.nodes:
        if isinstance(node, ast.ClassDef):
            attributes, methods = _size_of(node, bases)
            found[f"{node.name} attributes"], found[f"{node.name} methods"] = len(attributes), len(methods)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            count = len(names) - (names[:1] in (["self"], ["cls"]))
            found[f"{node.name} parameters"] = max(count, found.get(f"{node.name} parameters", 0))
    limits = {
        "attributes": MOST_ATTRIBUTES,
        "methods": MOST_METHODS,
        "parameters": MOST_PARAMETERS,
        "imports": MOST_IMPORTS,
    }
    return {name: count for name, count in found.items() if count > limits[name.rpartition(" ")[2]]}


def classes_of(sources: Iterable[Source]) -> dict[str, ast.ClassDef]:
    """The classes at the top of these files by their names; of two with one name the last."""
    return {name: node for source in sources for name, node in source.classes.items()}


def _size_of(node: ast.ClassDef, bases: Mapping[str, ast.ClassDef]) -> tuple[set[str], set[str]]:
    """(attributes of its instances, public methods and properties) of a class, with those of its bases."""
    attributes: set[str] = set()
    methods = {
        each.name
        for each in node.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not each.name.startswith("_")
    }
    for each in ast.walk(node):
        match each:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                attributes.add(name)
            case ast.Assign(targets=[ast.Name(id="__slots__")], value=slots):
                names = [slot.value for slot in ast.walk(slots) if isinstance(slot, ast.Constant)]
                attributes |= {name for name in names if isinstance(name, str)}
    for each in node.body:
        match each:
            case ast.Assign(targets=[ast.Name(id=alias)], value=ast.Name(id=name)) if name in methods:
                methods.add(alias)
    if methods and not any(ast.unparse(base).endswith(("Enum", "Protocol")) for base in node.bases):
        attributes |= {
            each.target.id
            for each in node.body
            if isinstance(each, ast.AnnAssign)
            and isinstance(each.target, ast.Name)
            and "Final" not in ast.unparse(each.annotation)
            and "ClassVar" not in ast.unparse(each.annotation)
        }
    for base in node.bases:
        above = bases.get(ast.unparse(base).partition("[")[0].rpartition(".")[2])
        if above is not None and above is not node:
            more, inherited = _size_of(above, {name: each for name, each in bases.items() if each is not node})
            attributes |= more
            methods |= inherited
    return attributes, methods
