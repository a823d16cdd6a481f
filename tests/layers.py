"""Which folder may import which: the tables, and what does not keep them.

All imports count: at the top of a file, inside functions, and under `TYPE_CHECKING`. A name that is needed for a type
only is a dependency all the same: its reader has to look there. There are no exceptions.
"""

from collections.abc import Collection, Iterator, Mapping

from .architecture import Source

BESIDE = "*"
"""In a table: all files of a package that stand beside its folders."""
GROUND = {"errors", "diagnosis"}
"""The files and folders of actors that all others may import."""
FAULTS = {"errors", "leniency"}
"""The files of sipcore that all its folders may import: the faults that cost a message, and those that do not."""
_CALLS = {
    "identity",
    "config",
    "counting",
    "runtime",
    "ledger",
    "bus",
    "call",
    "trace",
    "transport",
    "handle",
    "registration",
    "requests",
}
_ROLES = {"dispatcher", "media_worker", "call_worker"}
LAYERS: dict[str, dict[str, set[str]]] = {
    "actors": {
        "errors": set(),
        "diagnosis": set(),
        "counting": GROUND,
        "runtime": GROUND,
        "identity": GROUND | {"runtime"},
        "config": GROUND,
        "host": GROUND,
        "scripts": GROUND | {"host"},
        "ledger": GROUND,
        "bus": GROUND | {"counting"},
        "call": GROUND | {"runtime"},
        "media_worker": GROUND | {"config", "counting", "bus"},
        "trace": GROUND | {"config", "counting", "host", "bus"},
        "registration": GROUND | {"identity", "config", "counting", "runtime"},
        "requests": GROUND | {"identity", "counting", "runtime"},
        "transport": GROUND | {"config", "counting", "runtime", "host", "bus", "trace"},
        "handle": GROUND | {"identity", "runtime", "bus", "call", "trace"},
        "dispatcher": GROUND | {"config", "host", "bus", "transport"},
        "call_worker": GROUND | _CALLS,
        "supervisor": GROUND | {"config", "counting", "host", "ledger", "bus", "trace", "transport"},
        "agent": GROUND | _CALLS | _ROLES | {"scripts"},
        "robots": GROUND
        | {
            "identity",
            "config",
            "counting",
            "runtime",
            "host",
            "bus",
            "scripts",
            "call",
            "transport",
            "handle",
            "registration",
            "call_worker",
            "agent",
        },
        "sipp": GROUND | {"host", "scripts"},
        "load": GROUND
        | {
            "identity",
            "config",
            "counting",
            "runtime",
            "host",
            "bus",
            "scripts",
            "call",
            "trace",
            "registration",
            "requests",
            "transport",
            "handle",
            "call_worker",
            "agent",
            "robots",
            "sipp",
            "supervisor",
        },
        "probe": GROUND
        | {"identity", "config", "counting", "bus", "transport", "handle", "supervisor", "agent", "load"},
        "process": GROUND | _ROLES | {"config", "counting", "host", "ledger", "bus", "robots", "sipp", "load"},
        "cli": GROUND | _CALLS | _ROLES | {"host", "scripts", "supervisor", "agent", "robots", "sipp", "load", "probe"},
    },
    "sipcore": {
        "errors": set(),
        "leniency": set(),
        "sdp": FAULTS,
        "message": FAULTS,
        "auth": FAULTS | {"message"},
        "transaction": FAULTS | {"message", "auth"},
        "session": FAULTS | {"message", "auth", "transaction"},
        "usage": FAULTS | {"message", "auth", "transaction", "session"},
        "server": FAULTS | {"message", "auth", "transaction"},
    },
    "media": {
        "rtp": set(),
        "audio": set(),
        "digits": {"audio"},
        BESIDE: {"rtp", "audio", "digits"},
    },
}
"""Which folders (or files beside them) a folder of a package may import, from the ground up. What is not listed is
forbidden. Within a folder files may import each other, as long as that makes no ring."""

MOST_ENTRIES = {"actors": 28}
"""The most files and folders that stand in the folder of a package itself."""
MOST_FILES = 25
"""The most files of one folder."""


Edge = tuple[str, str]
"""An import: the path of the file that has it, and that of the file which is imported."""


def edges_of(sources: list[Source]) -> dict[Edge, int]:
    """Every import of one of these files by another one, wherever it stands, with the line of the first."""
    paths = {source.module: source.path for source in sources}
    edges: dict[Edge, int] = {}
    for source in sources:
        for item in source.imports:
            target = paths.get(item.module) or paths.get(item.module.rpartition(".")[0])
            if target is not None and target != source.path:
                edges.setdefault((source.path, target), item.line)
    return edges


def row_of(source: Source) -> str:
    """The row of its package's table that a file belongs to."""
    beside = BESIDE in LAYERS.get(source.package, {}) and source.path.count("/") == 1
    return BESIDE if beside else source.folder


def upward_imports(sources: list[Source]) -> dict[Edge, int]:
    """The imports that the table of a package does not allow."""
    known = {source.path: source for source in sources}
    found = {}
    for (path, target), line in edges_of(sources).items():
        here, there = known[path], known[target]
        table = LAYERS.get(here.package)
        if table is None or here.package != there.package or (here.folder == "__init__" and here.package != "actors"):
            continue
        if row_of(there) not in table.get(row_of(here), set()) | {row_of(here)}:
            found[path, target] = line
    return found


def folders_without_a_row(sources: list[Source]) -> Iterator[str]:
    """Each folder of a package with a table has its row, and no row is about a folder that is gone."""
    for package, table in LAYERS.items():
        folders = {row_of(source) for source in sources if source.package == package and source.folder != "__init__"}
        for name in sorted(folders ^ table.keys()):
            yield f"{package}/{name}: {'not in the table' if name in folders else 'in the table only'}"


def is_downward(table: Mapping[str, set[str]]) -> bool:
    """Whether the rows of a table stand in an order in which each allows only rows before it."""
    above = set(table)
    for name, allowed in table.items():
        if allowed & above:
            return False
        above.discard(name)
    return True


def rings(edges: set[Edge]) -> list[set[str]]:
    """The sets of files that import each other in a ring, directly or through others (Tarjan's components)."""
    ahead: dict[str, list[str]] = {}
    for path, target in sorted(edges):
        ahead.setdefault(path, []).append(target)
        ahead.setdefault(target, [])
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: list[str] = []
    found: list[set[str]] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        open_.append(name)
        for target in ahead[name]:
            if target not in number:
                visit(target)
                lowest[name] = min(lowest[name], lowest[target])
            elif target in open_:
                lowest[name] = min(lowest[name], number[target])
        if lowest[name] == number[name]:
            ring = set(open_[open_.index(name) :])
            del open_[open_.index(name) :]
            if len(ring) > 1:
                found.append(ring)

    for name in ahead:
        if name not in number:
            visit(name)
    return found


def layers(sources: list[Source]) -> Iterator[str]:
    """Imports go down by the table and make no ring, without exception."""
    against = upward_imports(sources)
    for (path, target), line in sorted(against.items()):
        yield f"{path}:{line}: {path} must not import {target}"
    within = {
        edge for edge in edges_of(sources) if edge not in against and edge[0].split("/")[0] == edge[1].split("/")[0]
    }
    for ring in rings(within):
        yield f"imports in a ring among {', '.join(sorted(ring))}"


def crowded_folders(paths: Collection[str]) -> Iterator[str]:
    """`ls` shows the design: few entries in the folder of a package, and no folder with very many files.

    paths: of all files of the packages.
    """
    inside: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        inside.setdefault(folder, set()).add(name)
        while "/" in folder:
            folder, _, name = folder.rpartition("/")
            inside.setdefault(folder, set()).add(f"{name}/")
    for folder, entries in sorted(inside.items()):
        files = [name for name in entries if not name.endswith("/")]
        if len(entries) > MOST_ENTRIES.get(folder, len(entries)):
            yield f"{folder} has {len(entries)} entries, {MOST_ENTRIES[folder]} is the limit"
        if len(files) > MOST_FILES:
            yield f"{folder} has {len(files)} files, {MOST_FILES} is the limit"
