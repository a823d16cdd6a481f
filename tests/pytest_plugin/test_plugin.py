"""The plug-in in runs of pytest of its own: with pytest-asyncio and without, passing, failing, and left alone."""

import importlib.util
import re
from pathlib import Path

import pytest

from sipswarm.actors.trace.pcap import HEADER

OWN = ("-p", "no:asyncio")
ASYNCIO = ("-p", "asyncio", "-o", "asyncio_mode=strict", "-o", "asyncio_default_fixture_loop_scope=function")
needs_asyncio = pytest.mark.skipif(
    importlib.util.find_spec("pytest_asyncio") is None, reason="pytest-asyncio is not installed"
)
in_both_loops = pytest.mark.parametrize(
    "loop", [pytest.param(OWN, id="own-loop"), pytest.param(ASYNCIO, id="pytest-asyncio", marks=needs_asyncio)]
)
MOST = 90
"""Seconds for a run of pytest on a busy machine."""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in a process of its own, as a user does."""
    return pytester.runpytest_subprocess(*arguments, timeout=MOST)


@in_both_loops
def test_phones_of_a_test_call_each_other_and_a_name_is_one_phone(
    pytester: pytest.Pytester, loop: tuple[str, ...]
) -> None:
    pytester.makepyfile(
        """
        async def test_call(ua, phone):
            bob = await phone("bob")
            assert await phone("bob") is bob
            bob.listen(media="silence")
            call = await ua.invite(f"sip:bob@127.0.0.1:{bob.legs[0].port}", media="silence")
            assert call.is_up
            await call.bye()
            assert call.by == "local"

        class TestClass:
            async def test_address(self, phone):
                assert (await phone("alice")).from_ == "sip:alice@127.0.0.1"
                assert (await phone("sip:carol@example.org")).from_ == "sip:carol@example.org"
        """
    )
    done = run(pytester, *loop, "-W", "error", "--sip-dir", "evidence")
    done.assert_outcomes(passed=2)
    assert not (pytester.path / "evidence").exists()


REFUSED = """
    import pytest

    async def refuse(call):
        call.reject(486)

    async def test_refused(ua, phone):
        bob = await phone("bob")
        bob.listen(refuse)
        to = f"sip:bob@127.0.0.1:{bob.legs[0].port}"
        assert (await ua.request("OPTIONS", to)).status == 200
        await ua.invite(to)

    async def test_free(ua):
        pass
"""


@in_both_loops
def test_the_report_of_a_failed_test_has_its_line_its_ladders_and_captures(
    pytester: pytest.Pytester, loop: tuple[str, ...]
) -> None:
    pytester.makepyfile(test_it=REFUSED)
    done = run(pytester, *loop, "--sip-dir", "evidence")
    done.assert_outcomes(passed=1, failed=1)
    text = done.stdout.str()
    done.stdout.fnmatch_lines(
        [
            ">*await ua.invite(to)",
            "E*CallRejected: 486 Busy Here",
            "*test_it.py:11: CallRejected",
            "*SIP of ua*",
            "*|-- OPTIONS sip:bob@*",
            "*|<* 200 OK --|*to OPTIONS*",
            "*|-- INVITE sip:bob@*",
            "*|<* 486 Busy Here --|*",
            "capture: evidence/test_it.py-test_refused.ua.pcap",
            "*SIP of bob*",
            "2 of its calls are shown above",
        ]
    )
    assert "user_agent.py" not in text
    assert text.count("-- INVITE sip:bob@") == 1
    files = {file.name: file for file in (pytester.path / "evidence").iterdir()}
    assert set(files) == {f"test_it.py-test_refused.{name}" for name in ("ua.pcap", "ua.txt", "bob.pcap", "bob.txt")}
    capture = files["test_it.py-test_refused.bob.pcap"].read_bytes()
    assert capture.startswith(HEADER)
    assert [word in capture for word in (b"OPTIONS sip:bob@", b"INVITE sip:bob@", b"486 Busy Here")] == [True] * 3
    assert "Max-Forwards: 70" in files["test_it.py-test_refused.ua.txt"].read_text()


def test_without_a_folder_the_files_are_in_a_temporary_one_and_full_trace_shows_our_frames(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_it=REFUSED)
    done = run(pytester, *OWN, "--full-trace", "-k", "refused")
    done.assert_outcomes(failed=1, deselected=1)
    assert "user_agent.py" in done.stdout.str()
    (capture,) = re.findall(r"^capture: (.*\.ua\.pcap)$", done.stdout.str(), re.MULTILINE)
    assert Path(capture).read_bytes().startswith(HEADER)


def test_a_folder_that_cannot_be_made_is_named_in_the_report(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=REFUSED)
    (pytester.path / "file").write_text("")
    done = run(pytester, *OWN, "--sip-dir", "file/in", "-k", "refused")
    done.assert_outcomes(failed=1, deselected=1)
    done.stdout.fnmatch_lines(["no files were written: *Not a directory*; name another folder by --sip-dir"])


@in_both_loops
def test_phones_register_with_their_passwords_and_are_called_by_the_registrar(
    pytester: pytest.Pytester, loop: tuple[str, ...]
) -> None:
    pytester.makepyfile(
        """
        import asyncio

        import pytest
        from sipswarm import CallRejected, CallTimeout

        async def test_registered(phone, registrar):
            registrar.users["bob"] = "secret"
            bob = await phone("bob", auth=("bob", "secret"), registrar=registrar.uri)
            bob.listen(media="silence")
            waiting = asyncio.create_task(registrar.registered("bob"))
            assert await bob.register(expires=300) == 300
            assert await waiting == registrar.contacts("bob") == (f"sip:bob@127.0.0.1:{bob.legs[0].port}",)
            alice = await phone("alice", redirects=1)
            call = await alice.invite(registrar.address_of("bob"), media="silence")
            await call.bye()
            await bob.register(expires=0)
            assert registrar.contacts("bob") == ()
            with pytest.raises(CallRejected, match="404"):
                await alice.invite(registrar.address_of("bob"))

        async def test_refused(phone, registrar):
            registrar.users["bob"] = "secret"
            bob = await phone("bob", auth=("bob", "wrong"), registrar=registrar.uri)
            with pytest.raises(CallRejected):
                await bob.register()
            with pytest.raises(CallTimeout, match="bob did not register within 0.1 s"):
                await registrar.registered("bob", timeout=0.1)

        async def test_open(phone, registrar):
            bob = await phone("bob", registrar=registrar.uri)
            await bob.register()
            assert len(registrar.contacts("bob")) == 1
        """
    )
    run(pytester, *loop, "-W", "error").assert_outcomes(passed=3)


SILENT = """
    import socket

    import pytest
    from sipswarm import CallTimeout

    @pytest.fixture
    def silent():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
            nobody.bind(("127.0.0.1", 0))
            yield f"sip:nobody@127.0.0.1:{nobody.getsockname()[1]}"

    @pytest.mark.sip(ring_time=0.3)
    async def test_mark(ua, silent):
        with pytest.raises(CallTimeout, match="no_answer"):
            await ua.invite(silent)

    async def test_ini(phone, silent):
        alice = await phone("alice")
        with pytest.raises(CallTimeout, match="no_answer"):
            await alice.invite(silent)

    @pytest.mark.sip(ring_time=600)
    async def test_own(ua, silent):
        with pytest.raises(CallTimeout, match="no_answer"):
            await ua.invite(silent, ring_time=0.2)
"""


def test_a_number_that_never_answers_costs_the_ring_time(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SILENT)
    run(pytester, *OWN, "-o", "sip_ring_time=0.4").assert_outcomes(passed=3)


def test_the_target_is_that_of_the_closest_mark_then_of_the_option_then_of_the_ini_file(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(
        """
        import os

        import pytest

        def test_given(sip_target):
            assert sip_target == os.environ["EXPECTED"]

        @pytest.mark.sip("sip:class@127.0.0.1")
        class TestMarked:
            def test_class(self, sip_target):
                assert sip_target == "sip:class@127.0.0.1"

            @pytest.mark.sip("sip:test@127.0.0.1")
            def test_own(self, sip_target):
                assert sip_target == "sip:test@127.0.0.1"

            @pytest.mark.sip(ring_time=3)
            def test_completed(self, sip_target):
                assert sip_target == "sip:class@127.0.0.1"
        """
    )
    ini = ("-o", "sip_target=sip:ini@127.0.0.1")
    option = ("--sip-target", "sip:option@127.0.0.1")
    for expected, arguments in (("sip:ini@127.0.0.1", ini), ("sip:option@127.0.0.1", (*ini, *option))):
        monkeypatch.setenv("EXPECTED", expected)
        run(pytester, *OWN, *arguments).assert_outcomes(passed=4)
    done = run(pytester, *OWN, "-k", "given")
    done.assert_outcomes(errors=1, deselected=3)
    done.stdout.fnmatch_lines(["*there is no target: give --sip-target URI, sip_target in the ini file, or *"])


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (
            "strict_sorce=True",
            "*the user agent of this test did not start: *no argument strict_sorce; did you mean strict_source?*",
        ),
        ("legs='nowhere'", "*the user agent of this test did not start: legs: *"),
        ("'sip:a@127.0.0.1', 'sip:b@127.0.0.1'", "*mark.sip takes one SIP URI and arguments by name, not *"),
        ("ring_time='soon'", "*ring_time is 'soon'; give seconds above 0, such as 10"),
    ],
)
def test_arguments_that_are_not_valid_are_one_line(pytester: pytest.Pytester, mark: str, said: str) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.sip({mark})
        async def test_it(ua):
            pass
        """
    )
    done = run(pytester, *OWN)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([said])
    assert "Traceback" not in done.stdout.str()
    assert "phones.py" not in done.stdout.str()


def test_a_test_that_cannot_await_is_told_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(ua): pass")
    done = run(pytester, *OWN)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*test_it uses a SIP user agent: write it as `async def`"])


@in_both_loops
def test_a_run_that_does_not_use_it_imports_three_files_and_keeps_its_own_fixtures(
    pytester: pytest.Pytester, loop: tuple[str, ...]
) -> None:
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture
        def ua():
            return "mine"
        """
    )
    pytester.makepyfile(
        """
        import sys

        def test_it(ua):
            assert ua == "mine"
            ours = {name for name in sys.modules if name.partition(".")[0] == "sipswarm"}
            assert len(ours) == 5, ours
            assert not [name for name in ours if "pytest_plugin" not in name and name != "sipswarm"]
            assert not {"zmq", "numpy", "msgpack", "uvloop"} & set(sys.modules)
        """
    )
    run(pytester, *loop).assert_outcomes(passed=1)


@needs_asyncio
def test_a_coroutine_of_others_is_not_marked_in_strict_mode(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def ua():
            return "mine"

        async def test_others(ua):
            pass

        async def test_ours(phone):
            await phone("bob")
        """
    )
    done = run(pytester, *ASYNCIO)
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*async def functions are not natively supported*"])


@needs_asyncio
def test_asynchronous_fixtures_of_a_user_share_the_loop_and_their_failure_has_its_ladder(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def call(ua, phone):
            bob = await phone("bob")
            bob.listen(media="silence")
            call = await ua.invite(f"sip:bob@127.0.0.1:{bob.legs[0].port}", media="silence")
            yield call
            await call.bye()

        @pytest_asyncio.fixture
        async def refused(ua, phone):
            carol = await phone("carol")
            return await ua.invite(f"sip:carol@127.0.0.1:{carol.legs[0].port}")

        async def test_call(call):
            assert call.is_up

        async def test_refused(refused):
            pass
        """
    )
    done = run(pytester, *ASYNCIO)
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines([">*await ua.invite(f*", "*SIP of ua*", "*|<* 480 Temporarily Unavailable --|*"])


def test_the_mark_and_the_options_are_in_the_help(pytester: pytest.Pytester) -> None:
    run(pytester, "--markers").stdout.fnmatch_lines(["@pytest.mark.sip(target, *"])
    run(pytester, "--help").stdout.fnmatch_lines(["*--sip-target=URI*", "*sip_ring_time*"])


RECORDED = """
    import asyncio

    from sipswarm.testing import heard_tone

    async def call_bob(ua, phone, **options):
        bob = await phone("bob")
        bob.listen(media="tone:440")
        return await ua.invite(f"sip:bob@127.0.0.1:{bob.legs[0].port}", **options)

    async def test_failed(ua, phone):
        call = await call_bob(ua, phone, media="silence")
        await heard_tone(call, 440)
        assert call.recordings[0].endswith("1.wav")  # that of the plug-in is looked at
        without = await call_bob(ua, phone, media="none")
        assert not without.is_up

    async def test_passed(ua, phone):
        call = await call_bob(ua, phone, init_media=ua.rtp("recv_echo", "own.raw"))
        assert call.recordings == ("own.raw",)
        await call.bye()
        assert call.failure == ""
"""


@in_both_loops
def test_the_calls_of_a_failed_test_are_heard_in_its_files(pytester: pytest.Pytester, loop: tuple[str, ...]) -> None:
    pytester.makepyfile(test_it=RECORDED)
    done = run(pytester, *loop, "-W", "error", "--sip-dir", "evidence", "--sip-record", "--basetemp", "temporary")
    done.assert_outcomes(passed=1, failed=1)
    name = "evidence/test_it.py-test_failed.1.wav"
    done.stdout.fnmatch_lines(["*recordings*", f"call to sip:bob@* (left received, right sent): {name}"])
    octets = (pytester.path / name).read_bytes()
    assert octets.startswith(b"RIFF")
    assert octets[22] == 2, "both sides"
    assert len(octets) > 16_000, "half a second of the tone was heard"
    assert [each.name for each in (pytester.path / "evidence").glob("*.wav")] == [name.partition("/")[2]]
    assert not list((pytester.path / "temporary").glob("sip-record*"))


def test_without_the_option_no_call_is_recorded(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        async def test_call(ua, phone):
            bob = await phone("bob")
            bob.listen(media="tone:440")
            call = await ua.invite(f"sip:bob@127.0.0.1:{bob.legs[0].port}", media="silence")
            await call.dtmf("1")
            assert call.recordings == ()
            await call.bye()
        """
    )
    run(pytester, *OWN, "-W", "error").assert_outcomes(passed=1)
    run(pytester, *OWN, "-W", "error", "-o", "sip_record=true").assert_outcomes(failed=1)


FAILING = """
    import asyncio
    import contextlib

    import pytest
    from sipswarm import CallRejected

    def address_of(bob):
        return f"sip:bob@127.0.0.1:{bob.legs[0].port}"

    async def call_bob(phone, robot, **options):
        alice, bob = await phone("alice"), await phone("bob")
        bob.listen(robot)
        call = await alice.invite(address_of(bob), media="silence", **options)
        await call.over()

    async def test_robot(phone):
        async def answer(call):
            await call.answer()
            assert call.calling_user == "nobody"

        await call_bob(phone, answer)

    async def test_pytest_fail(phone):
        async def answer(call):
            await call.answer()
            pytest.fail("told by name")

        await call_bob(phone, answer)

    async def test_exit(phone):
        async def answer(call):
            await call.answer()
            raise SystemExit(3)

        await call_bob(phone, answer)

    async def test_callback(phone):
        async def answer(call):
            await call.answer()
            await call.over()

        def fails(*arguments):
            raise ValueError("no callback")

        with contextlib.suppress(Exception):
            await call_bob(phone, answer, cb_final=fails)

    async def test_handler(phone):
        def fails(request):
            raise ValueError("no text")

        alice, bob = await phone("alice"), await phone("bob")
        bob.on_request("MESSAGE", fails)
        with pytest.raises(CallRejected, match="500"):
            await alice.request("MESSAGE", address_of(bob), "hello")

    async def test_timer(ua):
        ticked = asyncio.Event()

        def tick():
            ticked.set()
            raise ValueError("no tick")

        ua.every(0.01, tick)
        await ticked.wait()
        await asyncio.sleep(0)
"""
MOST_FAILING = 6


@in_both_loops
def test_errors_of_code_in_user_agents_fail_the_test(pytester: pytest.Pytester, loop: tuple[str, ...]) -> None:
    pytester.makepyfile(test_it=FAILING)
    done = run(pytester, *loop)
    done.assert_outcomes(failed=MOST_FAILING)
    text = done.stdout.str()
    done.stdout.fnmatch_lines(
        [
            ">*assert call.calling_user == *nobody*",
            "E*AssertionError: assert 'alice' == 'nobody'",
            "E*bob: the robot of call * failed at *test_it.py:*",
        ]
    )
    for said in ("Failed: told by name", "SystemExit: 3", "ValueError: no callback", "ValueError: no text", "no tick"):
        assert said in text
    assert "-- SIP of bob --" in text
    assert not re.search(r"^\S*(steps|errors|phones|plugin)\.py:\d+: ", text, re.MULTILINE), "frames of sipswarm"


@pytest.mark.parametrize("how", ["mark", "ini"])
def test_errors_of_code_in_user_agents_may_be_allowed(pytester: pytest.Pytester, how: str) -> None:
    mark = "    pytestmark = pytest.mark.sip(allow_errors=True)\n" if how == "mark" else ""
    pytester.makepyfile(test_it=FAILING.replace("\n    def address_of", f"\n{mark}\n    def address_of", 1))
    run(pytester, *OWN, *(("-o", "sip_allow_errors=true") if how == "ini" else ())).assert_outcomes(passed=MOST_FAILING)


LATE = """
    import pytest

    async def call_bob(phone):
        async def answer(call):
            await call.answer()
            await call.over()
            raise ValueError("too late for the test")

        alice, bob = await phone("alice"), await phone("bob")
        bob.listen(answer)
        return await alice.invite(f"sip:bob@127.0.0.1:{bob.legs[0].port}", media="silence")

    async def test_late(phone):
        await call_bob(phone)

    async def test_failed_by_itself(phone):
        def fails(request):
            raise ValueError("of the handler")

        alice, bob = await phone("alice"), await phone("bob")
        bob.on_request("MESSAGE", fails)
        await alice.request("MESSAGE", f"sip:bob@127.0.0.1:{bob.legs[0].port}", "hello")

    @pytest.mark.xfail(strict=True)
    async def test_expected(phone):
        await call_bob(phone)
        assert False

    @pytest.mark.sip(allow_errors="yes")
    async def test_no_flag(phone):
        pass
"""


@in_both_loops
def test_an_error_after_the_test_is_one_of_its_end_and_a_failed_test_keeps_its_own(
    pytester: pytest.Pytester, loop: tuple[str, ...]
) -> None:
    pytester.makepyfile(test_it=LATE)
    done = run(pytester, *loop)
    done.assert_outcomes(passed=1, failed=1, xfailed=1, errors=2)
    done.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_late*",
            "E*ValueError: too late for the test",
            "*ERROR at setup of test_no_flag*",
            "*allow_errors is 'yes'; give True or False",
            "E*CallRejected: 500 *",
            "*errors in user agents*",
            "bob: the handler of MESSAGE *test_it.py:*failed, and the request gets 500",
            "ValueError: of the handler",
        ]
    )


@in_both_loops
def test_each_fixture_of_ours_and_the_mark_give_a_test_its_event_loop(
    pytester: pytest.Pytester, loop: tuple[str, ...]
) -> None:
    pytester.makepyfile(
        """
        import asyncio

        import pytest

        async def test_target(sip_target):
            await asyncio.sleep(0)
            assert sip_target == "sip:ivr@127.0.0.1"

        @pytest.mark.sip("sip:ivr@127.0.0.1")
        async def test_mark():
            await asyncio.sleep(0)

        async def test_phone(phone):
            assert (await phone("bob")).legs

        @pytest.mark.parametrize("number", [1, 2])
        async def test_numbers(number, sip_target):
            await asyncio.sleep(0)
        """
    )
    run(pytester, *loop, "-W", "error", "--sip-target", "sip:ivr@127.0.0.1").assert_outcomes(passed=5)
