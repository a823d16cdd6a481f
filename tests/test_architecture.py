"""The code against the architecture's table "Folders and direction", and the reader of that table against bad code."""

import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from .architecture import (
    ACTORS_PURE,
    ACTORS_PURE_FOLDERS,
    LONGEST_FILE,
    PACKAGES,
    RULES,
    Rule,
    Source,
    crash_boundaries,
    foreign_assignments,
    frozen_records,
    impure_reach,
    linear_patterns,
    one_file_per_codec_library,
    other_names,
    read_causes,
    record_classes,
    short_enough,
    typing_blocks,
)
from .architecture_exceptions import (
    CRASH_BOUNDARIES,
    FOREIGN_ASSIGNMENTS,
    LARGER,
    LONG_FILES,
    READ_CAUSES,
    TYPING_BLOCKS,
    WHY_CRASH_BOUNDARIES,
    WHY_LARGER,
)
from .layers import FAULTS, GROUND, LAYERS, crowded_folders, folders_without_a_row, is_downward, layers
from .sizes import sizes

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [Source.read(ROOT, file) for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
TEST_SOURCES = [
    Source.read(ROOT, file) for folder in ("tests", "examples") for file in sorted((ROOT / folder).rglob("*.py"))
]
VOCABULARIES = ("actors/bus/messages.py", "media/messages.py")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_file_of_the_packages_keeps_the_rule(rule: Rule) -> None:
    findings = [finding for source in SOURCES for finding in rule(source)]
    assert not findings, "\n".join([str(rule.__doc__), *findings])


def test_test_and_example_files_are_short_enough() -> None:
    findings = [finding for source in TEST_SOURCES for finding in short_enough(source)]
    assert not findings, "\n".join(findings)


def test_every_codec_library_is_behind_one_file() -> None:
    assert not list(one_file_per_codec_library(SOURCES))


def test_pure_files_of_actors_load_nothing_that_touches_the_world() -> None:
    findings = list(impure_reach(SOURCES))
    assert not findings, "\n".join(findings)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_of_a_package_go_down_and_make_no_ring(package: str) -> None:
    findings = list(layers([source for source in SOURCES if source.package == package]))
    assert not findings, "\n".join(["The table is in tests/layers.py and docs/architecture.md.", *findings])


def test_every_folder_has_its_row_in_the_table() -> None:
    assert not list(folders_without_a_row(SOURCES))


@pytest.mark.parametrize("package", LAYERS)
def test_the_table_goes_down(package: str) -> None:
    assert is_downward(LAYERS[package])


def test_the_page_shows_the_table_that_is_held() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    shown = {}
    for names, allowed in re.findall(r"^\| ((?:`[a-z_]+/?`(?:, )?)+) \| [^|]* \|([^|]*)\|$", text, re.MULTILINE):
        for name in re.findall(r"`([a-z_]+)/?`", names):
            shown[name] = set(re.findall(r"`([a-z_]+)`", allowed))
    table = {
        f"{name}": allowed - (GROUND if name not in GROUND else set()) for name, allowed in LAYERS["actors"].items()
    }
    assert {name: shown.get(name) for name in table} == table


def test_only_the_named_files_import_for_types_alone() -> None:
    found = {source.path for source in SOURCES if list(typing_blocks(source))}
    assert found == TYPING_BLOCKS, "those that are new, and those that no longer need their exception"


def test_only_the_named_places_assign_attributes_of_others() -> None:
    found = {source.path: foreign_assignments(source, SOURCES) for source in SOURCES}
    new = [
        f"{path}:{line}: {what}: assign it where its class is, by a method that says why (docs/architecture.md)"
        for path, lines in found.items()
        for what, line in lines.items()
        if what not in FOREIGN_ASSIGNMENTS.get(path, ())
    ]
    assert not new, "\n".join(new)
    gone = {path: whats - found[path].keys() for path, whats in FOREIGN_ASSIGNMENTS.items()}
    assert not any(gone.values()), f"exceptions that nothing needs any more: {gone}"


def test_only_the_named_files_catch_every_exception() -> None:
    findings = [finding for source in SOURCES for finding in crash_boundaries(source)]
    found = Counter(finding.partition(":")[0] for finding in findings)
    assert dict(found) == CRASH_BOUNDARIES, "\n".join(["those with a reason are in CRASH_BOUNDARIES", *findings])
    assert WHY_CRASH_BOUNDARIES.keys() == CRASH_BOUNDARIES.keys(), "each has its reason"


def test_only_the_named_files_read_a_cause_out_of_a_text() -> None:
    findings = [finding for source in SOURCES for finding in read_causes(source)]
    found = Counter(finding.partition(":")[0] for finding in findings)
    assert dict(found) == READ_CAUSES, "\n".join(["those with a reason are in READ_CAUSES", *findings])


def test_only_the_named_classes_functions_and_files_are_larger() -> None:
    found = {source.path: large for source in SOURCES if (large := sizes(source, SOURCES))}
    assert found == LARGER, (
        "what has grown: find the part that can stand by itself (docs/architecture.md) before you write down a new "
        "size with its reason; what has become smaller: write down the new size"
    )
    assert WHY_LARGER.keys() == LARGER.keys(), "each file has its reason"


def test_only_files_that_are_long_have_a_reason_to_be() -> None:
    lines = {source.path: source.text.count("\n") for source in SOURCES}
    assert [path for path in LONG_FILES if lines.get(path, 0) <= LONGEST_FILE] == []


def test_folders_are_not_crowded() -> None:
    files = [file for top in PACKAGES for file in (ROOT / top).rglob("*") if file.is_file()]
    paths = [file.relative_to(ROOT).as_posix() for file in files if "__pycache__" not in file.parts]
    assert not list(crowded_folders(paths))
    assert len(LAYERS["sipcore"].keys() - FAULTS) == 7


@pytest.mark.parametrize("package", LAYERS)
def test_tests_stand_in_the_folder_of_what_they_test(package: str) -> None:
    folders = {path.name for path in (ROOT / package).iterdir() if path.is_dir() and path.name != "__pycache__"}
    tested = {
        path.name for path in (ROOT / "tests" / package).iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert tested <= folders


def test_our_packages_are_reached_by_one_name() -> None:
    """`actors` and `sipswarm.actors` would be two modules with two states: the first is used nowhere."""
    own = {"tests/test_architecture.py", "tests/e2e/test_one_name.py"}
    pages = [Source.read(ROOT, file) for file in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "Makefile"]]
    sources = [source for source in [*SOURCES, *TEST_SOURCES, *pages] if source.path not in own]
    found = [finding for source in sources for finding in other_names(source)]
    assert not found, "\n".join(found)
    imported = [
        f"{source.path}:{item.line}: {item.module}"
        for source in TEST_SOURCES
        for item in source.imports
        if not item.relative and item.module.partition(".")[0] in {"actors", "sipcore", "media"}
    ]
    assert not imported, "\n".join(imported)
    for name in ("actors", "sipcore", "media"):
        link = ROOT / "sipswarm" / name
        assert link.is_symlink()
        assert os.readlink(link) == f"../{name}"


@pytest.mark.parametrize("source", [source for source in SOURCES if "import re\n" in source.text], ids=lambda s: s.path)
def test_patterns_over_what_peers_send_take_linear_time(source: Source) -> None:
    module = importlib.import_module(source.module)
    patterns = {name: value for name, value in vars(module).items() if isinstance(value, re.Pattern)}
    findings = list(linear_patterns(source, patterns))
    assert not findings, "\n".join(findings)


def test_every_message_is_frozen() -> None:
    findings = [finding for source in SOURCES if source.path in VOCABULARIES for finding in frozen_records(source)]
    assert not findings, "\n".join(findings)


def test_every_message_is_in_the_wire_schema_or_inside_one_that_is() -> None:
    from sipswarm.actors.bus import wire

    known = {
        (record.__module__.removeprefix("sipswarm.").replace(".", "/") + ".py", record.__name__)
        for record in wire.SCHEMA.values()
    }
    for source in SOURCES:
        if source.path not in VOCABULARIES:
            continue
        names = {name for name, _ in record_classes(source)}
        missing = names - {name for path, name in known if path == source.path}
        nested = {name for name in missing if _is_named_inside(source, name)}
        assert not missing - nested, f"{source.path}: not in actors/bus/wire.py: {sorted(missing - nested)}"


def _is_named_inside(source: Source, name: str) -> bool:
    """Whether another record of the vocabulary says that it carries this one."""
    return any(
        name in (Source(source.path, part).text)
        for other, node in record_classes(source)
        if other != name and (part := "\n".join(source.text.splitlines()[node.lineno - 1 : node.end_lineno]))
    )


LEAN = [
    ("sipswarm.actors.dispatcher", "numpy"),
    ("sipswarm.actors.dispatcher", "click"),
    ("sipswarm.actors.dispatcher", "rich"),
    ("sipswarm.actors.call_worker.worker", "numpy"),
    ("sipswarm.actors.call_worker.worker", "click"),
    ("sipswarm.actors.process.load_application", "numpy"),
    ("sipswarm.actors.process.load_application", "click"),
    ("sipswarm.actors.robots.answering", "numpy"),
    ("sipswarm.actors.robots.file_robot", "numpy"),
    ("sipswarm.actors.cli.answer", "numpy"),
    ("sipswarm.actors.cli.load", "numpy"),
    ("sipswarm.actors.cli.robot", "numpy"),
    ("sipswarm.actors.cli.run", "sipswarm.sipcore.session.invite_session"),
    ("sipswarm.actors.cli.load_run", "sipswarm.sipcore.session.invite_session"),
    ("sipswarm.actors.cli.load_run", "numpy"),
    ("sipswarm.actors.media_worker", "click"),
    ("sipswarm", "sipswarm.actors"),
    ("sipswarm.sipcore", "asyncio"),
]


@pytest.mark.parametrize("module", sorted({module for module, _ in LEAN}))
def test_importing_a_process_loads_nothing_it_does_not_need(module: str) -> None:
    program = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert not loaded & {heavy for importer, heavy in LEAN if importer == module}


def test_the_wheel_carries_the_packages_and_nothing_else() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    on_disk = {source.module for source in SOURCES if source.path.endswith("__init__.py")}
    folders = {
        source.module if source.path.endswith("__init__.py") else source.module.rpartition(".")[0] for source in SOURCES
    }
    assert set(listed) == on_disk == folders
    assert {name.partition(".")[0] for name in listed} == {"sipswarm"}


def test_the_face_is_a_face_only() -> None:
    files = {path.name for path in (ROOT / "sipswarm").iterdir() if path.is_file()}
    assert files <= {"__init__.py", "__main__.py", "version.py", "py.typed"}


def test_pure_files_have_the_names_that_the_rules_know() -> None:
    paths = {source.path for source in SOURCES}
    assert paths >= ACTORS_PURE, f"renamed? the rules for pure files look for {sorted(ACTORS_PURE - paths)}"
    for folder in ACTORS_PURE_FOLDERS:
        assert any(path.startswith(folder) for path in paths), f"renamed? the rules for pure files look for {folder}"


# ---- the reader itself: each piece of bad code is found, by the rule that is there for it

BAD = [
    ("our_direction", "sipcore/x.py", "import sipswarm.media.rtp.packet", "sipcore must not import media"),
    ("our_direction", "sipcore/x.py", "from sipswarm.actors import link", "sipcore must not import actors"),
    (
        "our_direction",
        "media/x.py",
        "def f():\n    from sipswarm.sipcore.message.uri import Uri",
        "media must not import sipcore",
    ),
    ("our_direction", "media/x.py", "from sipswarm.sipcore import uri", "x.py:1: media must not import sipcore"),
    ("our_direction", "actors/x.py", "from sipswarm.actors.bus.wire import encode", "relatively"),
    ("our_direction", "actors/x.py", "import media.rtp", "write sipswarm.media.rtp"),
    ("our_direction", "actors/x.py", "def f():\n    from sipcore import Uri", "write sipswarm.sipcore.Uri"),
    ("our_direction", "sipswarm/x.py", "from actors.handle.call import Call", "write sipswarm.actors.handle.call.Call"),
    ("third_party", "sipcore/x.py", "import numpy", "numpy belongs in media/"),
    ("third_party", "sipcore/x.py", "import requests", "requests has no home"),
    ("third_party", "actors/bus/wire.py", "import zmq", "zmq belongs in actors/bus/link.py"),
    ("third_party", "actors/bus/link.py", "from msgpack import packb", "msgpack belongs in actors/bus/wire.py"),
    ("third_party", "actors/supervisor/exposition.py", "import uvloop", "uvloop belongs"),
    (
        "third_party",
        "actors/supervisor/supervisor.py",
        "from prometheus_client.core import Metric",
        "prometheus_client belongs",
    ),
    ("third_party", "actors/config.py", "import dns.resolver", "dns belongs"),
    ("third_party", "actors/config.py", "import_module('dns.resolver')", "dns belongs"),
    ("third_party", "actors/config.py", "importlib.import_module(name)", "imports what nobody can see"),
    ("third_party", "actors/clients.py", "import click", "click belongs in actors/cli/"),
    ("third_party", "actors/call_worker/worker.py", "from rich.table import Table", "rich belongs"),
    ("third_party", "actors/load/histogram.py", "import numpy as np", "numpy belongs in media/"),
    ("compilable", "sipcore/x.py", "def f():\n    class A: pass", "A stands in a function"),
    ("compilable", "sipcore/x.py", "class A:\n    def __get__(self): pass", "A is a descriptor"),
    ("compilable", "sipcore/x.py", "class A(Enum):\n    B = 1\n    def __init__(self): pass", "Enum A has an __init__"),
    ("compilable", "sipcore/x.py", "class A(Error):\n    hint = 488", "A.hint is neither Final nor ClassVar"),
    ("compilable", "sipcore/x.py", "class A:\n    hint: int = 488", "hint is neither Final nor ClassVar"),
    ("compilable", "sipcore/x.py", "def f(a):\n    object.__setattr__(a, 'b', 1)", "object.__setattr__"),
    ("compilable", "sipcore/x.py", "names = A.__slots__", "__slots__ is read"),
    ("pure_stdlib", "sipcore/x.py", "import socket", "socket is I/O"),
    ("pure_stdlib", "sipcore/x.py", "from time import monotonic", "time.monotonic"),
    ("pure_stdlib", "sipcore/x.py", "def f():\n    import secrets", "x.py:2: secrets"),
    ("pure_stdlib", "sipcore/x.py", "import logging", "logging"),
    ("pure_stdlib", "sipcore/x.py", "from asyncio import sleep", "asyncio.sleep"),
    ("pure_stdlib", "sipcore/x.py", "import urllib.request", "urllib.request"),
    ("pure_stdlib", "sipcore/x.py", "print(1)", "print()"),
    ("pure_stdlib", "media/rtp/packet.py", "import random", "random"),
    ("pure_stdlib", "media/rtp/packet.py", "data = open('x').read()", "open()"),
    ("pure_stdlib", "media/rtp/packet.py", "import numpy as np\nx = np.random.random(3)", "random.random"),
    ("pure_stdlib", "media/sources.py", "import socket", "socket"),
    ("pure_stdlib", "media/sinks.py", "import time", "time"),
    ("pure_stdlib", "actors/call/actor.py", "import time", "time"),
    ("pure_stdlib", "actors/load/schedule.py", "from random import Random\nx = Random()", "without a seed"),
    ("pure_stdlib", "sipcore/x.py", "import datetime\nx = datetime.datetime.now()", "reads the clock"),
    ("pure_stdlib", "sipcore/x.py", "from random import Random", "random.Random"),
    ("no_async_in_sans_io", "sipcore/x.py", "class A:\n    async def run(self): ...", "x.py:2: async"),
    ("no_async_in_sans_io", "media/engine.py", "async def run(): ...", "async"),
    ("no_async_in_sans_io", "actors/bus/slots.py", "async def run(): ...", "async"),
    ("short_enough", "actors/x.py", "x = 1\n" * 801, "801 lines"),
    ("telling_name", "actors/utils.py", '"""A file."""', "names no noun"),
    ("telling_name", "actors/x.py", "x = 1", "no docstring"),
    ("lean_init", "media/__init__.py", '"""A."""\nfrom .engine import MediaEngine', "imported eagerly"),
    ("lean_init", "media/__init__.py", '"""A."""\nimport numpy', "imported eagerly"),
    ("lean_init", "media/__init__.py", '"""A."""\ndef mix(): ...', "more than a docstring"),
    ("lean_init", "media/__init__.py", '"""A."""\nfor x in (): ...', "more than a docstring"),
    ("fixed_patterns", "sipcore/x.py", "import re\ndef f(p): return re.match(p, '')", "re.match in passing"),
    ("fixed_patterns", "sipcore/x.py", "import re\ndef f(): return re.compile('a')", "re.compile in passing"),
    ("fixed_patterns", "media/x.py", "from re import compile", "write `import re`"),
]


@pytest.mark.parametrize(("name", "path", "text", "words"), BAD)
def test_bad_code_is_found(name: str, path: str, text: str, words: str) -> None:
    rule = next(rule for rule in RULES if rule.__name__ == name)
    findings = list(rule(Source(path, text)))
    assert findings
    assert words in findings[0]


GOOD = [
    ("sipcore/x.py", '"""A."""\nfrom __future__ import annotations\nfrom .uri import Uri\nimport hashlib, re'),
    ("sipcore/x.py", '"""A."""\nimport re\nA = re.compile(r"\\A[a-z]+(?:;[a-z]{1,8})?\\Z")\nB = A.match("")'),
    ("sipcore/x.py", '"""A."""\nimport re\nA = re.compile(r"\\r\\n(?=[ \\t])")\nB = A.search("")'),
    ("sipcore/x.py", '"""A."""\nimport re\nA = re.compile(r",[ ]*")\nB = A.split("")'),
    ("media/engine.py", '"""A."""\nimport time, os, select\nimport numpy'),
    ("media/sources.py", '"""A."""\nimport wave\nfrom pathlib import Path\ndata = open("x")'),
    ("media/digits/inband.py", '"""A."""\nimport numpy as np\ndef f(source: np.random.Generator) -> None: ...'),
    (
        "actors/bus/link.py",
        '"""A."""\nimport time, zmq\nfrom sipswarm.sipcore.message import peek\nfrom .wire import encode',
    ),
    (
        "actors/call/actor.py",
        '"""A."""\nfrom sipswarm.sipcore.session import InviteSession\nfrom sipswarm.media import messages',
    ),
    ("actors/cli/load.py", '"""A."""\nimport click, rich\nfrom ..config import NodeConfig'),
    ("sipcore/__init__.py", '"""A."""'),
    (
        "media/__init__.py",
        (
            '"""A."""\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .rtp import Packet\n'
            '__all__ = ["Packet"]\ndef __getattr__(name: str) -> object:\n    from .rtp import Packet\n    return 1'
        ),
    ),
]


@pytest.mark.parametrize(("path", "text"), GOOD)
def test_good_code_is_let_pass(path: str, text: str) -> None:
    findings = [finding for rule in RULES for finding in rule(Source(path, text))]
    assert not findings


NESTED = [r"^(a+)+$", r"^(?:a|b*)*$", r"((\w{1,9},)+x)*", r"(?:[a-z]*,?){3}"]
OVERLAPPING = [r" *$", r"\s+x", r"[a-z]*@", r"a[^b]*c", r"(?:a|b)c*d"]
LINEAR = [r"\A[a-z]+(?:;[a-z]{1,8})?\Z", r"\r\n(?:to|t)[ \t]*:", r",[ ]*", r"%([0-9A-F]{2})", r"^ *$", r'"[^"]*"']


@pytest.mark.parametrize("text", NESTED)
def test_a_repeat_inside_a_repeat_is_found(text: str) -> None:
    assert "a repeat inside" in next(linear_patterns(Source("sipcore/x.py", ""), {"A": re.compile(text)}))


@pytest.mark.parametrize("text", OVERLAPPING)
def test_a_scan_that_may_read_text_again_and_again_is_found(text: str) -> None:
    patterns = {"A": re.compile(text)}
    assert "again and again" in next(linear_patterns(Source("sipcore/x.py", "A.search(b)"), patterns))
    assert not list(linear_patterns(Source("sipcore/x.py", "A.match(b)"), patterns))


@pytest.mark.parametrize("text", LINEAR)
def test_a_linear_pattern_is_let_pass(text: str) -> None:
    assert not list(linear_patterns(Source("sipcore/x.py", "A.search(b)"), {"A": re.compile(text)}))


def _findings_of_vocabulary(text: str) -> Iterator[str]:
    return frozen_records(Source("actors/bus/messages.py", text))


def test_a_message_that_can_be_changed_is_found() -> None:
    assert list(_findings_of_vocabulary("class A:\n    x: int"))
    assert list(_findings_of_vocabulary("@dataclass\nclass A:\n    x: int"))
    assert list(_findings_of_vocabulary("@dataclass(frozen=True)\nclass A:\n    x: int"))
    assert not list(_findings_of_vocabulary("@dataclass(frozen=True, slots=True)\nclass A:\n    x: int"))
    assert not list(_findings_of_vocabulary("class A(NamedTuple):\n    x: int"))


REACHED = [
    ("from ..bus.link import Link", "actors/bus/link.py", "import zmq"),
    ("from ..supervisor import supervisor", "actors/supervisor/supervisor.py", "import time"),
    ("from sipswarm.media.engine import MediaEngine", "media/engine.py", "import select"),
]


@pytest.mark.parametrize(("own", "path", "text"), REACHED)
def test_a_pure_file_that_touches_the_world_through_another_is_found(own: str, path: str, text: str) -> None:
    actor, other = Source("actors/call/actor.py", own), Source(path, text)
    assert path in next(impure_reach([actor, other]))
    between = Source("actors/call/between.py", own)
    assert path in next(impure_reach([Source("actors/call/actor.py", "from .between import x"), between, other]))
    for_types = Source("actors/call/actor.py", f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {own}")
    assert not list(impure_reach([for_types, other]))


TO_A = "from .a import A"
RINGS = {
    "at the top": "from . import b",
    "inside a function": "def f():\n    from .b import B",
    "for types only": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .b import B",
}


@pytest.mark.parametrize("text", RINGS.values(), ids=list(RINGS))
@pytest.mark.parametrize("folder", ["media", "actors/call", "sipcore/session"])
def test_a_ring_of_imports_is_found(folder: str, text: str) -> None:
    ring = [Source(f"{folder}/a.py", text), Source(f"{folder}/b.py", TO_A)]
    assert list(layers(ring)) == [f"imports in a ring among {folder}/a.py, {folder}/b.py"]
    assert not list(layers(ring[1:]))
    other = [Source(f"{folder}/a.py", "from .c import C"), Source(f"{folder}/c.py", "from .b import B"), ring[1]]
    assert "in a ring among" in next(layers(other)), "a ring of three"


UPWARDS = {
    "to the folder above": ("actors/call/x.py", "from ..call_worker.y import Y", "actors/call_worker/y.py"),
    "to a file above": ("actors/bus/x.py", "from ..dispatcher import Dispatcher", "actors/dispatcher.py"),
    "inside a function": ("actors/handle/x.py", "def f():\n    from ..agent import y", "actors/agent/y.py"),
    "for types only": (
        "actors/call/x.py",
        f"{RINGS['for types only']}\n    from ..handle.y import Y",
        "actors/handle/y.py",
    ),
    "by a text": (
        "actors/call/x.py",
        "from importlib import import_module as i\nimport_module('sipswarm.actors.handle.y')",
        "actors/handle/y.py",
    ),
    "by a relative text": ("actors/call/x.py", "import_module('.y', 'sipswarm.actors.handle')", "actors/handle/y.py"),
    "of the package's face": (
        "actors/__init__.py",
        f"{RINGS['for types only']}\n    from .agent.y import Y",
        "actors/agent/y.py",
    ),
    "of a file on the ground": ("actors/config.py", "from .host.y import Y", "actors/host/y.py"),
    "of sipcore": ("sipcore/message/x.py", "from ..session.y import Y", "sipcore/session/y.py"),
    "through a face": ("sipcore/sdp/x.py", "from ..message import Uri", "sipcore/message/__init__.py"),
}


@pytest.mark.parametrize(("path", "text", "target"), UPWARDS.values(), ids=list(UPWARDS))
def test_an_import_against_the_table_is_found(path: str, text: str, target: str) -> None:
    sources = [Source(path, text), Source(target, "")]
    (finding,) = layers(sources)
    assert finding.endswith(f"{path} must not import {target}")
    assert not list(layers([Source(target, ""), Source(path, "")]))


def test_an_import_down_is_let_pass() -> None:
    down = [
        Source("actors/call_worker/x.py", "from ..call.actor import A\nfrom .y import Y"),
        Source("actors/call/actor.py", ""),
    ]
    assert not list(layers([*down, Source("actors/call_worker/y.py", "")]))


def test_a_table_with_a_ring_is_found() -> None:
    assert is_downward({"a": set(), "b": {"a"}})
    assert not is_downward({"a": {"b"}, "b": {"a"}})
    assert not is_downward({"a": {"b"}, "b": set()})


def test_a_folder_without_a_row_is_found() -> None:
    assert "actors/attic: not in the table" in folders_without_a_row([Source("actors/attic/x.py", "")])
    assert "actors/bus: in the table only" in folders_without_a_row([])


def test_a_foreign_attribute_that_is_assigned_is_found() -> None:
    foreign = "def f(worker):\n    worker.arrivals.wishes = 1\n    worker.count += 1\n    del worker.name"
    found = foreign_assignments(Source("actors/robots/x.py", foreign))
    assert found == {"worker.arrivals.wishes": 2, "worker.count": 3, "worker.name": 4}
    own = "class A:\n  count: int\n  def f(self, b):\n    self.x = 1\n    b.count = b.x = 2\n    cell.value += 1"
    assert not foreign_assignments(Source("actors/robots/x.py", own))
    part = "class A:\n    def f(self): self.part.x = 1"
    assert list(foreign_assignments(Source("actors/robots/x.py", part))) == ["self.part.x"]
    by_name = "def f(a, b, c, d):\n    setattr(a, 'x', 1)\n    object.__setattr__(b, 'x', 1)\n    c.__dict__['x'] = 1"
    by_name += "\n    vars(d).update(x=1)\n    delattr(a, 'y')"
    assert sorted(foreign_assignments(Source("actors/robots/x.py", by_name)).values()) == [2, 3, 4, 5, 6]
    own_by_name = "class A:\n    def f(self):\n        setattr(self, 'x', 1)\n        self.__dict__.update(x=1)"
    assert not foreign_assignments(Source("actors/robots/x.py", own_by_name))
    for package in ("sipcore/session", "media", "media/rtp"):
        shared = Source(f"{package}/core.py", "class Core:\n    def __init__(self): self.state = 1")
        assigns = "def f(core):\n    core.state = 2\n    core.other = 3"
        found = foreign_assignments(Source(f"{package}/x.py", assigns), [shared])
        assert found == {"core.other": 3}, "the files of a folder share the state of its parts"
        assert foreign_assignments(Source("sipcore/usage/x.py", assigns), [shared]).keys() >= {"core.state"}
    library = "def f(context, sys, other):\n    context.verify_mode = 1\n    sys.stderr = other.stderr = None"
    assert list(foreign_assignments(Source("actors/robots/x.py", library))) == ["other.stderr"]


OTHER_NAMES = [
    "import actors",
    "    from sipcore.uri import Uri",
    'code = "import sys, media.srtp; sys.exit()"',
    "code = 'import sys\\nfrom media import dtmf'",
    'argv = [sys.executable, "-m", "actors.process"]',
    "`python -m actors.cli`",
    'files("actors.load")',
]


@pytest.mark.parametrize("text", OTHER_NAMES)
def test_another_name_of_our_packages_is_found(text: str) -> None:
    assert list(other_names(Source("tests/x.py", text)))
    ours = re.sub(r"\b(actors|sipcore|media)\b", r"sipswarm.\1", text, count=1)
    assert not list(other_names(Source("tests/x.py", ours)))
    assert not list(other_names(Source("tests/x.py", "from media workers, and media.count; self.media.import_all()")))


def test_a_block_for_types_is_found() -> None:
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import os"
    assert list(typing_blocks(Source("actors/call/x.py", text)))
    assert not list(typing_blocks(Source("actors/call/__init__.py", text)))


def test_a_catch_of_everything_is_found() -> None:
    for what in (
        "except Exception:",
        "except:",
        "except (ValueError, BaseException) as error:",
        "except FAILURES:",
        "except builtins.Exception:",
    ):
        assert list(crash_boundaries(Source("actors/x.py", f"try: pass\n{what}\n    pass")))
    for what in ("suppress(Exception)", "contextlib.suppress(OSError, BaseException)"):
        assert list(crash_boundaries(Source("actors/x.py", f"with {what}: pass")))
    assert not list(crash_boundaries(Source("actors/x.py", "with suppress(OSError): pass")))
    assert not list(crash_boundaries(Source("actors/x.py", "try: pass\nexcept Exception:\n    close()\n    raise")))
    assert not list(crash_boundaries(Source("actors/x.py", "try: pass\nexcept ValueError:\n    pass")))


def test_a_cause_that_is_read_out_of_a_text_is_found() -> None:
    for text in (
        "event.reason.startswith('TLS')",
        "str(error).partition(':')",
        "failure_reason.split()",
        "str(error).removeprefix('x')",
        "'replay' in str(error)",
        "str(last_error) == 'stopped'",
    ):
        assert list(read_causes(Source("actors/x.py", text)))
    assert not list(read_causes(Source("actors/x.py", "name.startswith('x')")))


def test_what_is_too_large_is_found() -> None:
    fields = "".join(f"        self.a{number} = 1\n" for number in range(21))
    methods = "".join(f"    def m{number}(self): ...\n" for number in range(21))
    text = f"class A:\n    def __init__(self):\n{fields}{methods}def f({', '.join(f'p{n}' for n in range(11))}): ..."
    assert sizes(Source("actors/x.py", text)) == {"A attributes": 21, "A methods": 21, "f parameters": 11}
    slots = f"class A:\n    __slots__ = {tuple(f'a{number}' for number in range(21))!r}"
    assert sizes(Source("actors/x.py", slots)) == {"A attributes": 21}
    half = ["".join(f"    def {letter}{number}(self): ...\n" for number in range(11)) for letter in "ab"]
    above = Source("actors/y.py", f"class A:\n{half[0]}")
    assert sizes(Source("actors/x.py", f"class B(A):\n{half[1]}"), [above]) == {"B methods": 22}
    named_again = methods.replace("    def m20(self): ...\n", "    m20 = m0\n")
    assert sizes(Source("actors/x.py", f"class A:\n{named_again}")) == {"A methods": 21}
    many = "".join(f"from .m{number} import X\n" for number in range(13))
    assert sizes(Source("actors/x.py", many)) == {"imports": 13}
    assert not sizes(Source("actors/x.py", many.replace("from .m12 import X\n", "")))


def test_a_crowded_folder_is_found() -> None:
    assert not list(crowded_folders([f"actors/call/x{number}.py" for number in range(25)]))
    assert "26 files" in next(crowded_folders([f"actors/call/x{number}.py" for number in range(26)]))
    assert "29 entries" in next(crowded_folders([f"actors/x{number}/y.py" for number in range(29)]))


def test_a_codec_library_in_two_files_is_found() -> None:
    twice = [Source("media/a.py", "import av"), Source("media/b.py", "from av import codec")]
    assert list(one_file_per_codec_library(twice))
    assert not list(one_file_per_codec_library(twice[:1]))
