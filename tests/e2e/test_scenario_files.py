"""Loads whose file is one of SIPp: what reaches a peer, and what the run is judged by."""

import csv
import json
import os
import re
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.sipp.scenario_file import text_of
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import Peer, gate, reply
from tests.e2e.counting_uas import CountingUas
from tests.e2e.in_thread import InThread
from tests.e2e.test_command_line import SECONDS, Running, was
from tests.interop.processes import wait_until

QUIET = ["--quiet", "--metrics", "off", "--media-workers", "1"]


def load(target: str, tmp_path: Path, file: str, *options: str) -> tuple[int, dict[str, Any], list[dict[str, str]]]:
    """Run a load with a file; its exit code, summary and rows."""
    path = tmp_path / "calls.xml"
    path.write_text(file)
    out = tmp_path / "out"
    code = main(["load", target, "-sf", str(path), *options, *QUIET, "--out", str(out)])
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return code, summary, list(csv.DictReader((out / "calls.csv").read_text().splitlines()))


class Busy(Peer):
    """Refuses every tenth INVITE with 486, and answers all else."""

    def __init__(self) -> None:
        super().__init__(self._answers)
        self._invites = 0

    def _answers(self, request: Request) -> Sequence[Response]:
        if request.method == "ACK":
            return []
        if request.method != "INVITE":
            return [reply(request, 200)]
        self._invites += 1
        return [reply(request, 486) if self._invites % 10 == 0 else reply(request, 200, peer=self)]


def test_every_tenth_call_is_refused_and_fails_by_what_the_file_expects(tmp_path: Path) -> None:
    with InThread(Busy()) as peer:
        code, summary, rows = load(f"b@127.0.0.1:{peer.port}", tmp_path, text_of("uac"), "-m", "50", "-r", "100")
        assert was(code, 1), summary
        assert len(rows) == 50
        assert [row["failure"] for row in rows if row["failure"]] == ["unexpected_message"] * 5
        assert sorted(row["code"] for row in rows) == ["200"] * 45 + ["486"] * 5
        assert {row["closed"] for row in rows if row["code"] == "200"} == {"confirmed"}
        assert {row["scenario"] for row in rows} == {"calls"}
        methods = peer.methods()
        assert {each: methods.count(each) for each in ("INVITE", "BYE")} == {"INVITE": 50, "BYE": 45}
    assert {each["reason"]: each["calls"] for each in summary["failures"]} == {"unexpected_message": 5}


def test_what_stands_behind_the_slashes_of_a_call_id_finds_the_call_worker(tmp_path: Path) -> None:
    file = text_of("uac").replace("Call-ID: [call_id]", "Call-ID: own///[call_id]")
    assert "own///" in file
    with CountingUas() as uas:
        code, summary, rows = load(uas.address, tmp_path, file, "-m", "30", "-r", "100", "--call-workers", "3")
    assert was(code, 0), summary
    assert [row["failure"] for row in rows] == [""] * 30
    assert len(uas.users) == 30


def test_requests_outside_of_calls_are_judged_by_the_file_too(tmp_path: Path) -> None:
    file = """<scenario>
      <send><![CDATA[
        OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0
        Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
        From: <sip:a@[local_ip]>;tag=[pid]a[call_number]
        To: <sip:b@[remote_ip]>
        Call-ID: [call_id]
        CSeq: [cseq] OPTIONS
        X-Row: [field0]
        Content-Length: 0

      ]]></send>
      <recv response="404"/>
    </scenario>"""
    rows_file = tmp_path / "rows.csv"
    rows_file.write_text("SEQUENTIAL\none\ntwo\n")
    options = ["-m", "4", "-r", "50", "-inf", str(rows_file), "--call-workers", "2"]
    with InThread(Peer(lambda request: [reply(request, 404)])) as peer:
        code, summary, rows = load(f"127.0.0.1:{peer.port}", tmp_path, file, *options)
        assert was(code, 0), summary
        assert sorted(each.headers.get("X-Row") or "" for each in peer.requests) == ["one", "one", "two", "two"]
    assert [(row["code"], row["failure"]) for row in rows] == [("404", "")] * 4


REGISTER = """<send><![CDATA[
        REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
        Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
        From: <sip:alice@[local_ip]>;tag=[pid]a[call_number]
        To: <sip:alice@[remote_ip]>
        Call-ID: [call_id]
        CSeq: [cseq] REGISTER
        [authentication]Content-Length: 0

      ]]></send>"""


@pytest.mark.parametrize(("given", "code"), [("secret", 0), ("wrong", 1), ("", 1)])
def test_the_account_of_the_command_line_answers_a_challenge(tmp_path: Path, given: str, code: int) -> None:
    first = REGISTER.replace("[authentication]", "")
    again = REGISTER.replace("[authentication]", "[authentication]\n        ")
    file = f'<scenario>{first}<recv response="401" auth="true"/>{again}<recv response="200"/></scenario>'
    secret = tmp_path / "password"
    secret.write_text(given)
    secret.chmod(0o600)
    options = ["--auth-user", "alice", "--auth-password-file", str(secret)] if given else []
    judge = gate()
    with InThread(Peer(lambda request: [judge(request) or reply(request, 200)])) as peer:
        found, summary, rows = load(f"127.0.0.1:{peer.port}", tmp_path, file, "-m", "1", *options)
        assert was(found, code), summary
        names = re.findall('username="([^"]*)"', str([each.headers.get("Authorization") for each in peer.requests]))
    assert names == ["alice" if given else "service"]
    assert [row["failure"] for row in rows] == ["" if not code else "unexpected_message"]


def test_a_call_without_an_answer_fails_by_what_it_waited_for(tmp_path: Path) -> None:
    file = text_of("uac").replace('retrans="500"', 'retrans="20"')
    with InThread(Peer(lambda request: [])) as peer:
        code, _, rows = load(f"127.0.0.1:{peer.port}", tmp_path, file, "-m", "2", "-r", "50")
    assert was(code, 1)
    assert [(row["outcome"], row["failure"]) for row in rows] == [("timeout", "max_retrans")] * 2


@pytest.mark.parametrize("size", [2000, 8000])
def test_a_long_message_stays_as_it_is_on_udp(tmp_path: Path, size: int) -> None:
    file = text_of("uac").replace("Contact:", f"X-Long: {'x' * size}\n      Contact:")
    with InThread(Busy()) as peer:
        code, summary, _ = load(f"127.0.0.1:{peer.port}", tmp_path, file, "-m", "1")
        assert was(code, 0), summary
        assert len(peer.requests[0].headers.get("X-Long") or "") == size


def test_a_message_that_no_datagram_holds_is_of_the_plan_and_told_by_its_line(tmp_path: Path) -> None:
    file = text_of("uac").replace("Contact:", f"X-Long: {'x' * 70_000}\n      Contact:", 1)
    with InThread(Busy()) as peer:
        code, summary, rows = load(f"127.0.0.1:{peer.port}", tmp_path, file, "-m", "2", "-r", "50")
        assert peer.requests == []
    assert was(code, 107), summary
    assert [(row["outcome"], row["failure"]) for row in rows] == [("not_sent", "message_too_long")] * 2
    assert {row["detail"].partition(", ")[0] for row in rows} == {"step 0"}


def test_a_refused_connection_is_told_as_such(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    code, summary, rows = load(f"127.0.0.1:{port}", tmp_path, text_of("uac"), "-m", "2", "-r", "50", "-t", "tcp")
    assert was(code, 97), summary
    assert [row["failure"] for row in rows] == ["unreachable"] * 2


def test_calls_that_last_too_long_are_hung_up_and_fail(tmp_path: Path) -> None:
    file = text_of("uac").replace("<pause/>", '<pause milliseconds="60000"/>')
    assert "60000" in file
    with InThread(Busy()) as peer:
        code, summary, rows = load(
            f"127.0.0.1:{peer.port}", tmp_path, file, "-m", "2", "-r", "50", "--run-time", "300ms"
        )
        wait_until(lambda: peer.methods().count("BYE") == 2, SECONDS, "the BYE of each call")
    assert code in (98, 107), summary
    assert [row["failure"] for row in rows] == ["run_time"] * 2


def test_the_end_of_a_run_hangs_its_calls_up(tmp_path: Path) -> None:
    path = tmp_path / "calls.xml"
    path.write_text(text_of("uac").replace("<pause/>", '<pause milliseconds="60000"/>'))
    with CountingUas() as uas:
        run = Running(
            "load", uas.address, "-sf", str(path), "-m", "3", "-r", "50", "--out", str(tmp_path / "out"), *QUIET
        )
        try:
            wait_until(lambda: len(uas.live) == 3, SECONDS, "three calls")
            code, _ = run.end(signal.SIGINT)
        finally:
            run.close()
        wait_until(lambda: not uas.live, SECONDS, "the BYE of each call")
    assert code == 105
    rows = list(csv.DictReader((tmp_path / "out" / "calls.csv").read_text().splitlines()))
    assert [(row["cause"], row["failure"]) for row in rows] == [("drained", "drained")] * 3


def test_a_call_that_the_drain_cuts_off_is_no_success(tmp_path: Path) -> None:
    path, out, statistics = tmp_path / "calls.xml", tmp_path / "out", tmp_path / "statistics.csv"
    path.write_text(text_of("uac").replace("<pause/>", '<pause milliseconds="60000"/>'))
    plan = ["-m", "3", "-r", "50", "--drain", "200ms", "-trace_stat", "-stf", str(statistics)]
    with CountingUas() as uas:
        run = Running("load", uas.address, "-sf", str(path), *plan, "--out", str(out), *QUIET)
        try:
            wait_until(lambda: len(uas.live) == 3, SECONDS, "three calls")
            code, said = run.end(signal.SIGUSR1)
        finally:
            run.close()
    assert was(code, 107), said
    rows = list(csv.DictReader((out / "calls.csv").read_text().splitlines()))
    assert [row["failure"] for row in rows] == ["drained"] * 3
    calls = json.loads((out / "summary.json").read_text())["calls"]
    assert (calls["answered"], calls["completed"], calls["failed"]) == (3, 0, 3)
    last = list(csv.DictReader(statistics.read_text().splitlines(), delimiter=";"))[-1]
    assert (last["SuccessfulCall(C)"], last["FailedCall(C)"]) == ("0", "3")


def test_messages_on_the_wire_are_the_files_own(tmp_path: Path) -> None:
    with InThread(Busy()) as peer:
        code, summary, _ = load(f"127.0.0.1:{peer.port}", tmp_path, text_of("uac"), "-m", "1")
        assert was(code, 0), summary
        invite = peer.requests[0].to_bytes().decode()
    assert re.search(r"branch=z9hG4bK-\d+-1-0\r\n", invite)
    assert "Content-Length:   " in invite, "SIPp's five places"
    assert str(os.getpid()) not in invite, "it is the process of a call worker"


INIT = """<scenario>
  <Global variables="tenant,first"/>
  <init>
    <nop condexec="tenant" condexec_inverse="true">
      <action><assignstr assign_to="tenant" value="none"/></action>
    </nop>
    <nop><action><assignstr assign_to="first" value="[$tenant] of [service]"/></action></nop>
  </init>
  <send><![CDATA[
    OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:a@[local_ip]>;tag=[pid]a[call_number]
    To: <sip:b@[remote_ip]>
    Call-ID: [call_id]
    CSeq: [cseq] OPTIONS
    X-First: [$first]
    Content-Length: 0

  ]]></send>
  <recv response="200"/>
</scenario>"""


@pytest.mark.parametrize(("options", "first"), [([], "none of b"), (["-set", "tenant", "blue"], "blue of b")])
def test_init_is_carried_out_before_the_first_call(tmp_path: Path, options: list[str], first: str) -> None:
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        code, summary, _ = load(f"b@127.0.0.1:{peer.port}", tmp_path, INIT, "-m", "3", "-r", "50", *options)
        assert was(code, 0), summary
        assert [each.headers.get("X-First") for each in peer.requests] == [first] * 3


def test_an_init_that_fails_ends_the_load_before_anything_is_sent(tmp_path: Path) -> None:
    file = INIT.replace('value="[$tenant] of [service]"/>', 'value="x"/><error message="no tenant"/>')
    (tmp_path / "calls.xml").write_text(file)
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        target = f"b@127.0.0.1:{peer.port}"
        code = main(["load", target, "-sf", str(tmp_path / "calls.xml"), "-m", "3", *QUIET, "--out", str(tmp_path)])
        assert peer.requests == []
    assert was(code, 1)


def test_options_of_sipp_reach_the_calls_and_their_rows(tmp_path: Path) -> None:
    seen: list[Request] = []

    def answers(request: Request) -> Sequence[Response]:
        seen.append(request)
        return [reply(request, 200)]

    (tmp_path / "users.csv").write_text("SEQUENTIAL,PRINTF=4,PRINTFOFFSET=10,PRINTFMULTIPLE=2\nuser%04d;x\nother%d\n")
    file = OPTIONS.replace("X-T: t", "X-T: [$tenant] [field0]|[field1] [$row]")
    file = file.replace(
        "<send>",
        '<Global variables="tenant"/><nop><action><lookup assign_to="row" file="users.csv" '
        'key="other12"/></action></nop><send>',
        1,
    )
    rows = ["-inf", str(tmp_path / "users.csv"), "-infindex", "users.csv", "0"]
    options = [*rows, "-set", "tenant", "blue", "-base_cseq", "7", "-m", "3", "-r", "50", "--call-workers", "1"]
    with InThread(Peer(answers)) as peer:
        code, summary, found = load(f"b@127.0.0.1:{peer.port}", tmp_path, file, *options)
    assert was(code, 0), summary
    assert sorted(row["data_line"] for row in found) == ["2", "2", "3"]
    assert sorted([str(each.headers.get("X-T")) for each in seen]) == [
        "blue other12| 1.000000",
        "blue user0010|x 1.000000",
        "blue user0014|x 1.000000",
    ]
    assert {each.headers.get("CSeq") for each in seen} == {"7 OPTIONS"}


OPTIONS = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="options">
<send><![CDATA[
OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: [cseq] OPTIONS
X-T: t
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""


def test_a_silent_peer_costs_a_call_after_the_time_of_recv_timeout(tmp_path: Path) -> None:
    with InThread(Peer(lambda request: [])) as peer:
        options = ["-recv_timeout", "300ms", "-m", "1"]
        code, _, rows = load(f"b@127.0.0.1:{peer.port}", tmp_path, OPTIONS, *options)
    assert was(code, 1)
    assert [row["failure"] for row in rows] == ["recv_timeout"]


NAMED = OPTIONS.replace("<send>", '<send start_rtd="first answer" counter="asked">').replace(
    '<recv response="200"/>', '<recv response="200" rtd="first answer"/><nop counter="answered"/>'
)


def test_response_times_and_counters_of_a_file_are_in_the_summary_and_judged(tmp_path: Path) -> None:
    thresholds = ["--threshold", "first answer.p95<10", "--threshold", "rtdfirst answer.min<10"]
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        target = f"b@127.0.0.1:{peer.port}"
        code, summary, _ = load(target, tmp_path, NAMED, "-m", "20", "-r", "100", "--call-workers", "2", *thresholds)
    assert was(code, 0), summary
    figures = summary["scenario_file"]
    assert figures["counters"] == {"answered": 20, "asked": 20}
    digest = figures["response_times"]["first answer"]
    assert digest["count"] == 20
    assert 0 < digest["mean"] <= digest["max"]
    assert [each["value"] <= digest["max"] for each in summary["thresholds"]] == [True, True]


def test_a_response_time_above_its_limit_fails_the_run(tmp_path: Path) -> None:
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        target = f"b@127.0.0.1:{peer.port}"
        code, summary, _ = load(target, tmp_path, NAMED, "-m", "2", "-r", "50", "--threshold", "first answer.min<0")
    assert was(code, 99), summary


def test_a_threshold_of_a_response_time_that_the_file_has_not_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "calls.xml").write_text(NAMED)
    file = ["-sf", str(tmp_path / "calls.xml")]
    assert main(["load", "127.0.0.1", "-m", "1", *file, "--threshold", "rtd2.p95<1"]) == 2
    assert "there is no rtd2; there are answered" in capsys.readouterr().err
    assert main(["load", "127.0.0.1", "-m", "1", "--threshold", "rtd1.p95<1"]) == 2
    assert "there is no rtd1; there are answered" in capsys.readouterr().err


def test_rows_and_ladders_have_step_and_line_of_the_failure(tmp_path: Path) -> None:
    with InThread(Peer(lambda request: [reply(request, 404)])) as peer:
        code, _, rows = load(f"b@127.0.0.1:{peer.port}", tmp_path, OPTIONS, "-m", "2", "-r", "50")
    assert was(code, 1)
    said = f"step 1, {tmp_path / 'calls.xml'}:14: expected 200, got 404 to OPTIONS"
    assert [row["detail"] for row in rows] == [said] * 2
    assert [row["cause"] for row in rows] == [""] * 2
    ladders = [each.read_text() for each in (tmp_path / "out" / "failures").glob("*/ladder.txt")]
    assert len(ladders) == 2
    assert all(f"\n{said}\n" in each for each in ladders)


def test_the_files_of_sipp_are_written_with_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    traces = ["-trace_stat", "-fd", "1s", "-trace_rtt", "-trace_err", "-trace_error_codes"]
    traces += ["-trace_msg", "-trace_shortmsg"]
    with InThread(Busy()) as peer:
        target = f"b@127.0.0.1:{peer.port}"
        file = text_of("uac").replace('rtd="answer"/>', 'rtd="answer" counter="up"/>')
        code, summary, _ = load(target, tmp_path, file, "-m", "20", "-r", "50", "--call-workers", "2", *traces)
    assert was(code, 1), summary
    written = {each.name.removeprefix(f"calls_{os.getpid()}_"): each for each in tmp_path.glob("calls_*")}
    assert written.keys() == {
        ".csv",
        "rtt.csv",
        "errors.log",
        "error_codes.csv",
        "messages.log",
        "shortmessages.log",
    }
    with written[".csv"].open(newline="") as rows:
        last = list(csv.DictReader(rows, delimiter=";"))[-1]
    assert [last[f"{name}(C)"] for name in ("OutgoingCall", "SuccessfulCall", "FailedUnexpectedMessage")] == [
        "20",
        "18",
        "2",
    ]
    assert last["CurrentCall"] == "0"
    lines = written["rtt.csv"].read_text().splitlines()
    assert len(lines) == 1 + sum(each["count"] for each in summary["scenario_file"]["response_times"].values())
    errors = written["errors.log"].read_text()
    assert errors.startswith("The following events occurred:\n")
    assert errors.count(": Aborting call on unexpected message for Call-Id '") == 2
    assert errors.count("': while expecting '100' (index 1), received 'SIP/2.0 486 ") == 2
    assert errors.count(": expected 100, got 486 to INVITE\n") == 2
    assert written["error_codes.csv"].read_text().count("486,") == 2
    messages = written["messages.log"].read_text()
    assert messages.count("\nUDP message sent (") == len(
        [each for each in written["shortmessages.log"].read_text().splitlines() if "\tS\t" in each]
    )
    assert messages.count("\nINVITE sip:") == 20


def test_a_file_of_sipp_that_cannot_be_written_is_an_error_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "calls.xml").write_text(OPTIONS)
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        arguments = ["load", f"b@127.0.0.1:{peer.port}", "-m", "1", "-sf", str(tmp_path / "calls.xml"), *QUIET]
        for option, name in (("-trace_err", "-error_file"), ("-trace_msg", "-message_file")):
            code = main([*arguments, "--out", str(tmp_path / "out"), option, name, str(tmp_path / "no" / "x")])
            assert was(code, 2)
            assert f"{option} {tmp_path / 'no' / 'x'}: No such file or directory" in capsys.readouterr().err
        assert peer.requests == []


def test_rows_of_users_serve_one_call_each_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("USER\nalice\nbob\ncarol\ndave\n")
    (tmp_path / "more.csv").write_text("SEQUENTIAL\nx\n")
    file = OPTIONS.replace("X-T: t", "X-T: [field0] [field0 file=more.csv] [userid] of [users] [$calls]")
    file = file.replace(
        "<send>",
        '<User variables="calls"/><nop><action><add assign_to="calls" value="1"/></action></nop><send>',
        1,
    )
    file = file.replace('<recv response="200"/>', '<recv response="200"/><pause milliseconds="20"/>')
    seen: list[str] = []

    def answers(request: Request) -> Sequence[Response]:
        seen.append(str(request.headers.get("X-T")))
        return [reply(request, 200)]

    rows = ["-inf", str(tmp_path / "users.csv"), "-inf", str(tmp_path / "more.csv")]
    with InThread(Peer(answers)) as peer:
        target = f"b@127.0.0.1:{peer.port}"
        code, summary, _ = load(target, tmp_path, file, *rows, "-m", "40", "-r", "20", "--call-workers", "2")
    assert was(code, 0), summary
    assert len(seen) + summary["arrivals"]["dropped"] == 40
    calls: dict[str, list[str]] = {}
    for each in seen:
        name, row, user, _, users, number = each.split()
        assert (row, users) == ("x", "4")
        calls.setdefault(f"{name} {user}", []).append(number)
    assert calls.keys() == {"alice 1", "bob 2", "carol 3", "dave 4"}
    for numbers in calls.values():
        assert numbers == [f"{each}.000000" for each in range(1, len(numbers) + 1)]


def test_a_call_that_finds_no_free_user_is_held_back(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("USER\nalice\nbob\n")
    file = OPTIONS.replace('<recv response="200"/>', '<recv response="200"/><pause milliseconds="60000"/>')
    rows = ["-inf", str(tmp_path / "users.csv"), "--run-time", "2s", "--call-workers", "1"]
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        target = f"b@127.0.0.1:{peer.port}"
        _, summary, found = load(target, tmp_path, file, *rows, "-m", "10", "-r", "50")
    assert (summary["arrivals"]["started"], summary["arrivals"]["held_back"]) == (2, 8)
    assert len(found) == 2


def test_call_ids_have_the_form_that_was_given_and_find_their_workers(tmp_path: Path) -> None:
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        options = ["-m", "12", "-r", "50", "--call-workers", "3", "-cid_str", "call-%u@%s"]
        code, summary, rows = load(f"b@127.0.0.1:{peer.port}", tmp_path, OPTIONS, *options)
        ids = sorted(str(each.headers.get("Call-ID")) for each in peer.requests)
    assert was(code, 0), summary
    assert sorted(row["id"] for row in rows) == ids
    assert {re.sub(r"-\d+$", "", each) for each in ids} == {f"call-{n}@127.0.0.1" for n in range(1, 13)}


def test_a_file_stands_in_a_message_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "ticket.txt").write_bytes(b"number [4711]; caf\xe9")
    file = OPTIONS.replace("X-T: t", "X-T: [file name=ticket.txt]")
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        code, summary, _ = load(f"b@127.0.0.1:{peer.port}", tmp_path, file, "-m", "1")
        assert was(code, 0), summary
        assert b"\r\nX-T: number [4711]; caf\xe9\r\n" in peer.requests[0].to_bytes()


def test_commands_run_where_they_are_allowed(tmp_path: Path) -> None:
    action = f'<exec command="echo [call_number] >> {tmp_path}/numbers"/>'
    file = OPTIONS.replace('<recv response="200"/>', f'<recv response="200"><action>{action}</action></recv>')
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        target = f"b@127.0.0.1:{peer.port}"
        code, summary, _ = load(target, tmp_path, file, "-m", "5", "-r", "50", "--allow-exec")
    assert was(code, 0), summary
    numbers = tmp_path / "numbers"
    wait_until(lambda: numbers.exists() and len(numbers.read_text().split()) == 5, SECONDS, "each command")
    assert sorted(numbers.read_text().split()) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(("command", "codes"), [("stop_gracefully", {0}), ("stop_now", {105})])
def test_a_call_can_end_the_whole_run(tmp_path: Path, command: str, codes: set[int]) -> None:
    action = f'<nop><action><exec int_cmd="{command}"/></action></nop>'
    file = OPTIONS.replace('<recv response="200"/>', f'<recv response="200"/>{action}')
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        target = f"b@127.0.0.1:{peer.port}"
        code, summary, rows = load(target, tmp_path, file, "-r", "5", "--duration", "600s", "--drain", "5s")
    assert code in codes, summary
    assert 1 <= len(rows) < 3000


FIRST = OPTIONS.replace(
    '<recv response="200"/>',
    """<recv response="200"/>
<sendCmd><![CDATA[
  Call-ID: [call_id]
  X-Ticket: from-[call_number]
]]></sendCmd>
<recvCmd>
  <action><ereg regexp="X-Back: ([a-z0-9-]+)" search_in="msg" check_it="true" assign_to="all,back"/></action>
</recvCmd>
<send><![CDATA[
OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[pid]-[call_number]
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: [cseq] OPTIONS
X-T: [$back]
Content-Length: 0

]]></send>
<recv response="200"/>""",
)
SECOND = OPTIONS.replace(
    "<send>",
    """<recvCmd>
  <action><ereg regexp="X-Ticket: ([a-z0-9-]+)" search_in="msg" check_it="true" assign_to="all,ticket"/></action>
</recvCmd>
<send>""",
).replace("X-T: t", "X-T: [$ticket]")
BACK = "<sendCmd><![CDATA[\n  X-Back: back-[$ticket]\n]]></sendCmd>\n</scenario>"


def test_two_files_are_the_sides_of_each_call(tmp_path: Path) -> None:
    (tmp_path / "b.xml").write_text(SECOND.replace("</scenario>", BACK))
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        options = ["-sf", str(tmp_path / "b.xml"), "-m", "10", "-r", "50", "--call-workers", "2"]
        code, summary, rows = load(f"b@127.0.0.1:{peer.port}", tmp_path, FIRST, *options)
        seen = [(str(each.headers.get("X-T")), str(each.headers.get("Call-ID"))) for each in peer.requests]
        branches = [str(each.headers.get("Via")) for each in peer.requests]
    assert was(code, 0), summary
    assert len(rows) == 10
    numbers = range(1, 11)
    wanted = [*["t"] * 10, *(f"from-{n}" for n in numbers), *(f"back-from-{n}" for n in numbers)]
    assert sorted(name for name, _ in seen) == sorted(wanted)
    assert len({call_id for _, call_id in seen}) == 20, "each side has a Call-ID of its own"
    assert len(set(branches)) == 30, "no message is taken for another one"


def test_a_failure_of_the_second_file_fails_the_call(tmp_path: Path) -> None:
    other = SECOND.replace('<recv response="200"/>', '<recv response="404"/>').replace("</scenario>", BACK)
    (tmp_path / "b.xml").write_text(other)
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        options = ["-sf", str(tmp_path / "b.xml"), "-m", "2", "-r", "50"]
        code, _, rows = load(f"b@127.0.0.1:{peer.port}", tmp_path, FIRST, *options)
    assert was(code, 1)
    assert [(row["failure"], row["code"]) for row in rows] == [("unexpected_message", "200")] * 2
    assert all("b.xml:" in row["detail"] and "expected 404, got 200" in row["detail"] for row in rows)


def test_a_command_that_never_comes_is_a_fault_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "b.xml").write_text(SECOND)
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        options = ["-sf", str(tmp_path / "b.xml"), "-m", "2", "-r", "50"]
        code, summary, rows = load(f"b@127.0.0.1:{peer.port}", tmp_path, FIRST, *options)
    assert was(code, 107), summary
    assert [row["failure"] for row in rows] == ["command_lost"] * 2


PART = '<nop><action><exec command="true"/></action></nop>'


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        (OPTIONS.replace("<recv", "<reply/><recv"), 14, "<reply> is not supported yet"),
        (OPTIONS.replace("<recv", f"{PART}<recv"), 14, "allow it with --allow-exec"),
        (OPTIONS.replace("<recv", PART.replace("command=", "play_pcap_video=") + "<recv"), 14, "play_pcap_video"),
        (OPTIONS.replace("]]>", ""), 3, "the CDATA section that begins here is not closed"),
    ],
    ids=["an unknown element", "a program", "video", "a section that is not closed"],
)
def test_what_cannot_be_run_is_refused_by_its_line_and_nothing_is_sent(
    file: str, line: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "calls.xml").write_text(file)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{peer.getsockname()[1]}"
        code = main(["load", target, "-sf", str(tmp_path / "calls.xml"), "-m", "1", *QUIET])
        peer.setblocking(False)
        with pytest.raises(BlockingIOError):
            peer.recv(65536)
    assert was(code, 2)
    message = capsys.readouterr().err
    assert f"calls.xml:{line}: " in message
    assert said in message
