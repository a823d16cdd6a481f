"""A user's Python file: how it is named, found, read again, and what is said of a bad one."""

import asyncio
import sys
from pathlib import Path

import pytest

from sipswarm.actors.diagnosis.failure_reasons import OTHER_TEXTS, REASONS, Blame, blame_of
from sipswarm.actors.errors import (
    CallEnded,
    CallError,
    CallRejected,
    CallTimeout,
    ConfigurationError,
    MediaError,
    MediaHeld,
    Overloaded,
)
from sipswarm.actors.scripts.user_file import (
    ROBOT,
    SCENARIO,
    expectation,
    failure_of,
    left_to_setup,
    line_of,
    load,
    main,
    split,
    try_out,
)

GOOD = "VALUE = {value}\nasync def robot(call):\n    return VALUE\n"


ROBOT_ONLY = "async def robot(call): pass\n"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("robot.py", ("robot.py", "robot")),
        ("dir/robot.py:other", ("dir/robot.py", "other")),
        ("a:b/robot.py", ("a:b/robot.py", "robot")),
        (":name", (":name", "robot")),
    ],
)
def test_a_file_is_named_with_or_without_its_function(text: str, parts: tuple[str, str]) -> None:
    assert split(text, "robot") == parts


def test_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "r.py"
    for value in (1, 2):
        file.write_text(GOOD.format(value=value) + "def setup(ua):\n    pass\n")
        found = load(str(file), "robot", ROBOT)
        assert asyncio.run(found.function(None)) == value
        assert found.setup is not None
    file.write_text(GOOD.format(value=3))
    assert load(str(file), "robot", ROBOT).setup is None


@pytest.mark.parametrize("name", ["r.py", "robot", "robot.txt"])
def test_a_file_may_have_any_name_and_hold_dataclasses(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    start = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    file.write_text(f"{start}@dataclass\nclass Plan:\n    digits: str = '1'\n{GOOD.format(value='Plan().digits')}")
    assert asyncio.run(load(str(file), "robot", ROBOT).function(None)) == "1"
    assert not [each for each in sys.modules if each.startswith("sipswarm_user_")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("async def robot(call):\n  x = = 1\n", "r.py:2: invalid syntax"),
        ("import nowhere_at_all\n", "r.py:1: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("\n\nraise RuntimeError('a\\nb')\n", "r.py:3: RuntimeError: a b"),
        ("import sys\nsys.exit(3)\n", "r.py:2: SystemExit: 3"),
        ("\ndef robot(call):\n    pass\n", "r.py:2: there is no 'async def robot' in it; it has none at all"),
        ("async def other(call): pass\n", "it has other; name one as .*r.py:other"),
        ("x = '\0'\n", "r.py:1: "),
        ("\nasync def robot(): pass\n", r"r.py:2: it is called as robot\(call\): .*; write async def robot\(call\):"),
        (ROBOT_ONLY + "def setup(): pass\n", r"r.py:2: it is called as setup\(ua\): .*; write def setup\(ua\):"),
        (ROBOT_ONLY + "def resume(call): pass\n", "r.py:2: resume is no coroutine; write async def resume"),
        (ROBOT_ONLY + "async def resume(): pass\n", r"r.py:2: it is called as resume\(call\): .*; write async def"),
        (ROBOT_ONLY + "resume = 5\n", "r.py:1: resume is no coroutine; write async def resume"),
    ],
)
def test_a_bad_file_is_one_line_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "r.py"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=said) as caught:
        load(str(file), "robot", ROBOT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_file_of_robots_may_have_a_setup_only(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "r.py"
    file.write_text(f"{kind} setup(ua): pass\nasync def resume(call): pass\n")
    found = load(str(file), "robot", ROBOT)
    assert (found.function, found.setup is not None) == (left_to_setup, True)
    for name, arguments in (("other", ROBOT), ("robot", SCENARIO)):
        with pytest.raises(ConfigurationError, match=f"no 'async def {name}' in it; it has none at all"):
            load(str(file), name, arguments)


def test_a_scenario_takes_its_agent_and_its_row(tmp_path: Path) -> None:
    file = tmp_path / "s.py"
    file.write_text("async def scenario(ua): pass\n")
    with pytest.raises(ConfigurationError, match=r"s.py:1: it is called as scenario\(ua, row\): .*write async def"):
        load(str(file), "scenario", SCENARIO)
    file.write_text("async def scenario(*given): pass\n")
    assert load(str(file), "scenario", SCENARIO).resume is None


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigurationError, match=r"No such file.*give a Python file"):
        load("/nowhere/r.py", "robot", ROBOT)


def test_trying_out_happens_in_a_process_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.py"
    file.write_text("import builtins\nbuiltins.touched = True\n" + GOOD.format(value=1))
    try_out(str(file), "robot", ROBOT)
    import builtins

    assert not hasattr(builtins, "touched")
    assert main(str(file), "robot", *ROBOT) == 0
    del builtins.touched  # type: ignore[attr-defined]  # set by the file above
    file.write_text("1/0\n")
    with pytest.raises(ConfigurationError, match=r"r.py:1: ZeroDivisionError"):
        try_out(str(file), "robot", ROBOT)
    assert main(str(file), "robot", *ROBOT) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err
    file.write_text("import os\nos._exit(9)\n")
    with pytest.raises(ConfigurationError, match="importing it ended with 9"):
        try_out(str(file), "robot", ROBOT)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("assert False, 'the digits come back'", "the digits come back"),
        ("assert 1 == 2", "line 2: assert 1 == 2"),
        ("assert False, 'a\\n b'", "a b"),
        ("assert False, ''", "line 2: assert False, ''"),
        ("assert False, ' \\t '", "line 2: assert False, ' \\t '"),
        ("assert False, '\\n'", "line 2: assert False, '\\n'"),
        ("assert False, '\\u00a0\\u2028'", "line 2: assert False, '\\u00a0\\u2028'"),
        ("assert False, ()", "()"),
        ("assert False, None", "None"),
        ("assert False, type('No', (), {'__str__': lambda self: 1 / 0})()", "<exception str() failed>"),
        *((f"assert False, ' {name} '", f"assertion: {name}") for name in (*REASONS, OTHER_TEXTS)),
    ],
)
def test_an_assertion_is_an_expectation_by_its_text(tmp_path: Path, body: str, name: str) -> None:
    file = tmp_path / "s.py"
    file.write_text(f"async def scenario(ua, row):\n    {body}\n")
    found = load(str(file), "scenario", SCENARIO)
    with pytest.raises(AssertionError) as caught:
        asyncio.run(found.function(None, None))
    assert expectation(caught.value, str(file)) == name
    assert line_of(caught.value, str(file)) == 2
    assert line_of(caught.value, "other.py") == 1


def test_an_assertion_outside_of_the_file_has_a_name_too() -> None:
    assert expectation(AssertionError(), "s.py") == "assertion"


@pytest.mark.parametrize(
    ("error", "failure", "blame"),
    [
        (CallTimeout("late"), "timeout", Blame.SUT),
        (CallRejected(486, "Busy Here"), "code", Blame.SUT),
        (CallEnded("bye"), "ended_early", Blame.SUT),
        (CallEnded("no_ack"), "no_ack", Blame.SUT),
        (CallEnded("media_refused", "no_file: a.wav"), "media_refused", Blame.PLAN),
        (CallEnded("media_worker_lost"), "media_lost", Blame.GENERATOR),
        (CallEnded("no_port"), "no_port", Blame.GENERATOR),
        (CallEnded("bad_description"), "bad_description", Blame.SUT),
        (CallEnded("drained"), "drained", Blame.PLAN),
        (MediaError("no_file: a.wav"), "media_refused", Blame.PLAN),
        (MediaHeld("held: the peer"), "held: the peer", Blame.SUT),
        (CallError("digits were not sent"), "digits were not sent", Blame.SUT),
        (CallError("overload"), "assertion: overload", Blame.SUT),
        (CallError(""), "CallError", Blame.SUT),
        (CallError(" \n"), "CallError", Blame.SUT),
        (CallError(), "CallError", Blame.SUT),
        (Overloaded("x"), "overload", Blame.GENERATOR),
        (Overloaded("x", "limit"), "limit", Blame.PLAN),
        (Overloaded("x", "no_port"), "no_port", Blame.GENERATOR),
        (Overloaded("x", ""), "overload", Blame.GENERATOR),
        (Overloaded("x", "bye_refused"), "overload", Blame.GENERATOR),
    ],
)
def test_an_error_of_a_call_is_a_failure_with_a_name_and_its_blame(
    error: AssertionError | CallError | Overloaded, failure: str, blame: Blame
) -> None:
    assert failure_of(error, "s.py") == failure
    assert blame_of(failure) is blame
