"""The verbs are imported when they are used; what `sipswarm --help` and a completion say of them stands beside them."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from sipswarm.actors.cli.app import LISTED, Verbs, cli

FILE = Path(__file__).parents[2] / "interop" / "sipp" / "uac_waits_for_bye.xml"
SESSION = "sipswarm.sipcore.session.invite_session"
NODE = {"sipswarm.actors.supervisor.supervisor", "zmq", "prometheus_client"}
"""What only the verbs with processes of their own need."""
MEDIA = {"numpy", "sipswarm.media.engine", "sipswarm.actors.call_worker.worker"}
VERB = {"asyncio", "sipswarm.actors.config", "sipswarm.actors.cli.options", "sipswarm.actors.cli.values"}
"""What each verb with options of a node or call needs."""
HEAVY = {"rich", "uvloop", SESSION, *NODE, *MEDIA}


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--version"], HEAVY | VERB),
        (["--help"], HEAVY | VERB),
        (["bogus"], HEAVY | VERB),
        (["metrics"], HEAVY | VERB),
        (["load", "--help"], HEAVY),
        (["answer", "--help"], HEAVY),
        (["convert", str(FILE)], HEAVY | {"sipswarm.actors.cli.load", "sipswarm.actors.load.schedule"}),
        (["load", "127.0.0.1", "-m", "1", "--print-config"], HEAVY),
        (["check", "answer", "--listen", "udp:127.0.0.1:0"], HEAVY - {"uvloop", *NODE}),
        (["check", "load", "127.0.0.1", "-m", "1"], HEAVY - {SESSION}),
        (["check", "probe", "127.0.0.1"], HEAVY | {"sipswarm.actors.cli.load"}),
    ],
    ids=" ".join,
)
def test_a_short_command_imports_only_what_it_uses(arguments: list[str], unwanted: set[str], tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from sipswarm.actors.cli import main\n"
        f"main({arguments!r})\n"
        "sys.__stderr__.write('\\n' + ' '.join(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "sipswarm.actors.cli.app" in loaded, done.stderr
    assert sorted(loaded & unwanted) == []


def test_a_name_is_completed_without_its_verb(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from sipswarm.actors.cli import main\n"
        "try:\n"
        "    main([])\n"
        "finally:\n"
        "    sys.__stderr__.write(' '.join(sys.modules))\n"
    )
    words = {"_SIPSWARM_COMPLETE": "zsh_complete", "COMP_WORDS": "sipswarm ro", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, **words},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "plain\nrobot\nRun 'async def NAME(call)' of FILE for...\n"
    assert "sipswarm.actors.cli.robot" not in done.stderr


def test_options_of_the_command_itself_are_completed() -> None:
    context = click.Context(cli, info_name="sipswarm")
    assert {"--version", "--help"} <= {each.value for each in cli.shell_complete(context, "--")}
    assert [each.value for each in cli.shell_complete(context, "")] == sorted(LISTED)


@pytest.mark.parametrize("name", LISTED)
def test_the_text_of_a_verb_is_that_of_its_own_help(name: str) -> None:
    verb = cli.commands[name]
    assert verb.name == name
    listed = click.Command(name, help=LISTED[name].summary)
    for limit in (20, 45, 60, 200):
        assert listed.get_short_help_str(limit) == verb.get_short_help_str(limit)
    assert LISTED[name].summary in " ".join((verb.help or "").split())


def test_the_verbs_are_a_mapping_that_nobody_changes() -> None:
    verbs = Verbs()
    assert list(verbs) == list(LISTED)
    assert len(verbs) == len(LISTED)
    assert verbs.get("nope") is None
    assert verbs["load"] is verbs["load"]
    with pytest.raises(TypeError):
        verbs["load"] = verbs["demo"]
    with pytest.raises(TypeError):
        del verbs["load"]
