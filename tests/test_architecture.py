"""The code against the architecture's table "Folders and direction", and the reader of that table against bad code."""

import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from .architecture import (
    ACTORS_PURE,
    PACKAGES,
    RULES,
    Rule,
    Source,
    frozen_records,
    import_cycles,
    impure_reach,
    linear_patterns,
    one_file_per_codec_library,
    record_classes,
    short_enough,
)

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
def test_files_of_a_package_do_not_import_each_other_in_a_ring(package: str) -> None:
    findings = list(import_cycles([source for source in SOURCES if source.package == package]))
    assert not findings, "\n".join(findings)


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


# ---- the reader itself: each piece of bad code is found, by the rule that is there for it

BAD = [
    ("our_direction", "sipcore/x.py", "import sipswarm.media.rtp", "sipcore must not import media"),
    ("our_direction", "sipcore/x.py", "from sipswarm.actors import link", "sipcore must not import actors"),
    (
        "our_direction",
        "media/x.py",
        "def f():\n    from sipswarm.sipcore.message.uri import Uri",
        "media must not import sipcore",
    ),
    ("our_direction", "media/x.py", "from sipswarm.sipcore import uri", "x.py:1: media must not import sipcore"),
    ("our_direction", "actors/x.py", "from sipswarm.actors.bus.wire import encode", "relatively"),
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
    ("third_party", "actors/clients.py", "import click", "click belongs in actors/cli/"),
    ("third_party", "actors/call_worker/worker.py", "from rich.table import Table", "rich belongs"),
    ("third_party", "actors/load/histogram.py", "import numpy as np", "numpy belongs in media/"),
    ("pure_stdlib", "sipcore/x.py", "import socket", "socket is I/O"),
    ("pure_stdlib", "sipcore/x.py", "from time import monotonic", "time.monotonic"),
    ("pure_stdlib", "sipcore/x.py", "def f():\n    import secrets", "x.py:2: secrets"),
    ("pure_stdlib", "sipcore/x.py", "import logging", "logging"),
    ("pure_stdlib", "sipcore/x.py", "from asyncio import sleep", "asyncio.sleep"),
    ("pure_stdlib", "sipcore/x.py", "import urllib.request", "urllib.request"),
    ("pure_stdlib", "sipcore/x.py", "print(1)", "print()"),
    ("pure_stdlib", "media/rtp.py", "import random", "random"),
    ("pure_stdlib", "media/rtp.py", "data = open('x').read()", "open()"),
    ("pure_stdlib", "media/rtp.py", "import numpy as np\nx = np.random.random(3)", "random.random"),
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
    ("media/inband.py", '"""A."""\nimport numpy as np\ndef f(source: np.random.Generator) -> None: ...'),
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


def test_a_ring_of_imports_is_found() -> None:
    ring = [Source("media/a.py", "from .b import x"), Source("media/b.py", "from . import a")]
    assert list(import_cycles(ring))
    lazily = [Source("media/a.py", "from .b import x"), Source("media/b.py", "def f():\n    from . import a")]
    assert not list(import_cycles(lazily))


def test_a_codec_library_in_two_files_is_found() -> None:
    twice = [Source("media/a.py", "import av"), Source("media/b.py", "from av import codec")]
    assert list(one_file_per_codec_library(twice))
    assert not list(one_file_per_codec_library(twice[:1]))
