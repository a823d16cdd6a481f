"""`sipswarm probe` on loopback: once from the command line, and as the service that Prometheus asks."""

import asyncio
import json
import os
import re
import signal
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sipswarm.actors.agent.node import EmbeddedNode
from sipswarm.actors.cli import main
from sipswarm.actors.cli.probe.once import NOT_JUDGED, exit_code, prober_of
from sipswarm.actors.config import AccountConfig, CallSettings
from sipswarm.actors.errors import Overloaded
from sipswarm.actors.probe.module import Module, ProbeChecks
from sipswarm.actors.probe.report import Failure, ProbeReport
from sipswarm.actors.probe.standstill import EVERY, TOLERATED
from sipswarm.sipcore.message.messages import Request, Response
from tests.certificates import Authority, dates_by_openssl
from tests.e2e.test_command_line import SECONDS, WORKERS, Running

from ..interop.processes import wait_until
from .agents import Peer, gate, reply

CHECKED_CALL = ["--call", "-d", "1s", "--expect-media", "--dtmf", "1234", "--expect-dtmf", "=", "--timeout", "30s"]


def answering(*arguments: str, listen: str = "udp:127.0.0.1:0") -> Iterator[str]:
    running = Running("answer", "--listen", listen, "--metrics", "off", *WORKERS, *arguments)
    try:
        yield running.line().removeprefix(f"listening on {listen.partition(':')[0]}:")
    finally:
        running.close()


@pytest.fixture(scope="module")
def ivr() -> Iterator[str]:
    """The address of a robot that sends four digits back."""
    yield from answering("--media", "ivr")


@pytest.fixture(scope="module")
def busy() -> Iterator[str]:
    """The address of a robot that refuses every call with 486, which OPTIONS gets too."""
    yield from answering("--status", "486")


@pytest.fixture(scope="module")
def dead() -> Iterator[str]:
    """An address that takes datagrams and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{nobody.getsockname()[1]}"


def probed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code of a probe, and its result."""
    code = main(["probe", *arguments, "--json", "--quiet"])
    shown = capsys.readouterr()
    assert not shown.err
    result: dict[str, Any] = json.loads(shown.out)
    assert result["success"] == (code == 0)
    return code, result


# ---- once


def test_a_probe_shows_its_steps_its_phases_and_its_result(ivr: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", ivr]) == 0
    shown = capsys.readouterr()
    assert shown.err == f"OPTIONS sip:{ivr}\n200 OK\n"
    assert re.fullmatch(rf"first response: \d+\.\d{{3}} s\npassed after \d+\.\d{{3}} s \(udp:{ivr}\)\n", shown.out)


def test_a_call_is_answered_heard_and_closed(ivr: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, result = probed(capsys, ivr, *CHECKED_CALL)
    assert code == 0, result
    assert (result["status"], result["failure"], result["digits"]) == (200, None, "1234")
    assert result["media"]["sent"] > 0 < result["media"]["received"]
    assert set(result["phases"]) == {
        *("resolve", "connect", "tls", "first_response", "answer", "media", "digits", "end"),
    }
    assert all(result["phases"][each] > 0 for each in ("first_response", "digits", "end"))
    assert result["duration"] >= 1.0
    assert result["place"] == f"udp:{ivr}"


@pytest.mark.parametrize("how", [[], ["--call"]], ids=["options", "call"])
def test_another_code_is_a_failure_unless_it_is_expected(
    busy: str, how: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, result = probed(capsys, busy, *how)
    assert (code, result["failure"], result["status"]) == (1, "code", 486)
    assert result["detail"] == "486 Busy Here instead of 2xx"
    assert probed(capsys, busy, *how, "--expect-code", "404", "--expect-code", "486")[0] == 0


def test_a_call_that_is_answered_instead_of_refused_fails(ivr: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, result = probed(capsys, ivr, "--call", "--expect-code", "486")
    assert (code, result["failure"], result["status"]) == (1, "code", 200)


@pytest.mark.parametrize("how", [[], ["--call", "-d", "0"]], ids=["options", "call"])
def test_a_dead_target_is_a_timeout_within_its_time(
    dead: str, how: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, result = probed(capsys, dead, *how, "--timeout", "700ms")
    assert (code, result["failure"], result["status"]) == (1, "timeout", None)
    assert "did not come within 0.7 s" in result["detail"]
    assert result["duration"] < 20, "a request alone would be repeated for 32 s"


def test_a_port_without_listener_is_a_failure_of_the_connection(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        code, result = probed(capsys, f"127.0.0.1:{refusing.getsockname()[1]};transport=tcp")
    assert (code, result["failure"]) == (1, "connect")


def test_a_name_without_address_is_a_failure_of_dns(capsys: pytest.CaptureFixture[str]) -> None:
    code, result = probed(capsys, "sip:nowhere.invalid:5060")
    assert (code, result["failure"], result["detail"]) == (1, "resolve", "the name nowhere.invalid has no address")


@pytest.mark.parametrize("expected", ["9999", "12345"])
def test_other_digits_than_expected_are_a_failure(ivr: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, result = probed(capsys, ivr, "--call", "--dtmf", "1234", "--expect-dtmf", expected, "--timeout", "30s")
    assert (code, result["failure"], result["digits"]) == (1, "digits", "1234"), result


def test_a_silent_callee_fails_where_media_is_expected(capsys: pytest.CaptureFixture[str]) -> None:
    for silent in answering("--media", "none"):
        code, result = probed(capsys, silent, "--call", "--expect-media", "--timeout", "30s")
        assert (code, result["failure"]) == (1, "media"), result
        assert probed(capsys, silent, "--call", "--timeout", "30s")[0] == 0


def test_over_tls_the_certificate_is_checked_and_its_end_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("answer", "IP:127.0.0.1")
    files = ["--tls-cert", certificate, "--tls-key", key, "--media", "ivr"]
    for secure in answering(*files, listen="tls:127.0.0.1:0"):
        for how in ([], CHECKED_CALL):
            code, result = probed(capsys, secure, "-t", "tls", "--tls-ca", authority.ca, *how)
            assert code == 0, result
            assert result["certificate_expiry"] == dates_by_openssl(certificate)[1]
            assert result["phases"]["connect"] > 0 < result["phases"]["tls"]
        code, result = probed(capsys, secure, "-t", "tls")
        assert (code, result["failure"]) == (1, "tls")
        assert "certificate refused: " in result["detail"]


def test_over_ipv6_and_tcp(capsys: pytest.CaptureFixture[str]) -> None:
    for there in answering("--media", "ivr", listen="tcp:[::1]:0"):
        for how in ([], CHECKED_CALL):
            code, result = probed(capsys, f"sip:ivr@{there};transport=tcp", *how)
            assert code == 0, result
            assert result["place"] == f"tcp:{there}"


def test_a_signal_gives_a_probe_up(dead: str) -> None:
    running = Running("probe", dead, "--call", "-d", "0", "--timeout", "60s")
    try:
        assert running.process.stderr is not None
        assert running.process.stderr.readline() == f"INVITE sip:{dead}\n"
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(SECONDS) == 3
        assert "given up" in running.process.stderr.read()
    finally:
        running.close()


# ---- in this process


async def probe(peer: Peer, module: Module, *, timeout: float = 20.0) -> ProbeReport:
    prober = prober_of(1)
    try:
        return await prober.probe(peer.uri(), module, timeout=timeout)
    finally:
        await prober.close()


def test_a_challenge_is_answered_and_is_the_first_response() -> None:
    judge = gate()

    def answer(request: Request) -> list[Response]:
        return [judge(request) or reply(request, 200)]

    async def main() -> None:
        async with asyncio.timeout(SECONDS), Peer(answer) as trunk:
            alice = CallSettings(account=AccountConfig(user="alice", password="secret"))
            report = await probe(trunk, Module(settings=alice))
            assert (report.passed, report.status) == (True, 200), report.detail
            assert report.phases["first_response"] > 0 < report.phases["answer"]
            assert trunk.methods() == ["OPTIONS", "OPTIONS"]
            report = await probe(trunk, Module())
            assert (report.failure, report.status) == (Failure.CODE, 401)

    asyncio.run(main())


def test_an_end_that_is_not_confirmed_is_a_failure_of_its_own() -> None:
    def answer(request: Request) -> list[Response]:
        return [reply(request, 481 if request.method == "BYE" else 200, peer=callee)]

    async def main() -> None:
        async with asyncio.timeout(SECONDS), callee:
            report = await probe(callee, Module(checks=ProbeChecks(call=True, hold=0.0)))
            assert (report.failure, report.status) == (Failure.END, 200), report.detail
            assert "bye_refused" in report.detail

    callee = Peer(answer)
    asyncio.run(main())


def test_a_bye_without_an_answer_is_a_failure_of_the_end_within_the_time() -> None:
    def answer(request: Request) -> list[Response]:
        return [] if request.method == "BYE" else [reply(request, 200, peer=callee)]

    async def main() -> None:
        async with asyncio.timeout(SECONDS), callee:
            report = await probe(callee, Module(checks=ProbeChecks(call=True, hold=0.0)), timeout=2.0)
            assert report.failure is Failure.END
            assert report.detail == "the response to BYE did not come within 2 s"

    callee = Peer(answer)
    asyncio.run(main())


@pytest.mark.parametrize("start_counts", [False, True])
def test_the_start_of_the_own_user_agent_counts_for_a_scraper_only(
    start_counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = EmbeddedNode.start

    async def start_slowly(node: EmbeddedNode) -> None:
        await asyncio.sleep(3)
        await started(node)

    async def main() -> None:
        monkeypatch.setattr(EmbeddedNode, "start", start_slowly)
        async with asyncio.timeout(SECONDS), Peer(lambda request: [reply(request, 200)]) as target:
            prober = prober_of(1)
            report = await prober.probe(target.uri(), Module(), timeout=2.0, start_counts=start_counts)
            await prober.close()
        assert report.failure is (Failure.LOCAL if start_counts else None), report.detail
        assert exit_code(report) == (NOT_JUDGED if start_counts else 0)

    asyncio.run(main())


def test_a_call_that_rings_for_too_long_is_cancelled() -> None:
    def answer(request: Request) -> list[Response]:
        return [reply(request, 180 if request.method == "INVITE" else 200, peer=callee)]

    async def main() -> None:
        async with asyncio.timeout(SECONDS), callee:
            prober = prober_of(1)
            module = Module(checks=ProbeChecks(call=True))
            report = await prober.probe(callee.uri(), module, timeout=1.0)
            assert (report.failure, report.status) == (Failure.TIMEOUT, 0)
            assert [note.text for note in report.notes][:2] == [f"INVITE {callee.uri()}", "180 Ringing"]
            assert prober.taken == 1, "its user agent has not ended"
            with pytest.raises(Overloaded):
                await prober.probe(callee.uri(), module, timeout=1.0)
            await prober.close()
            assert prober.taken == 0
            assert callee.methods() == ["INVITE", "CANCEL"]

    callee = Peer(answer)
    asyncio.run(main())


def test_media_that_lack_because_this_process_stood_still_are_no_failure_of_the_target() -> None:
    """The callee sends nothing, which alone is its failure; while this process stood still it cannot be told."""

    def answer(request: Request) -> list[Response]:
        if request.method == "ACK":
            asyncio.get_running_loop().call_later(0.1, time.sleep, 2 * TOLERATED + EVERY)
        return [] if request.method == "ACK" else [reply(request, 200, peer=callee)]

    async def main() -> None:
        async with asyncio.timeout(SECONDS), callee:
            checks = ProbeChecks(call=True, hold=1.0, expect_media=True)
            report = await probe(callee, Module(checks=checks))
            assert (report.failure, report.status) == (Failure.LOCAL, 200)
            assert "this process stood still for 0." in report.detail
            assert report.detail.endswith("(one_way)")

    callee = Peer(answer)
    asyncio.run(main())


def test_probes_leave_no_open_file_behind() -> None:
    def answer(request: Request) -> list[Response]:
        return [] if request.method == "ACK" else [reply(request, 200, peer=callee)]

    async def main() -> None:
        async with asyncio.timeout(SECONDS), callee:
            module = Module(checks=ProbeChecks(call=True, hold=0.0))
            await probe(callee, module)
            before = len(os.listdir("/proc/self/fd"))
            for each in (Module(), module) * 5:
                report = await probe(callee, each)
                assert report.passed, report.detail
            assert len(os.listdir("/proc/self/fd")) == before

    callee = Peer(answer)
    asyncio.run(main())


# ---- as a service

MODULES = """
[modules.options]
timeout = "60s"

[modules.call]
call = true
hold = "1s"
timeout = "60s"
expect-media = true
dtmf = "1234"
expect-dtmf = "="

[modules.busy]
expect-code = 486
timeout = "60s"
"""


class Service:
    """A service with a file of modules."""

    def __init__(self, folder: Path, *arguments: str, modules: str = MODULES) -> None:
        self.file = folder / "probe.toml"
        self.file.write_text(modules)
        self.running = Running("probe", "--serve", "127.0.0.1:0", "--modules", str(self.file), *arguments)
        self.url = self.running.line().removeprefix("probes at ").removesuffix("/probe")

    def get(self, path: str, within: str = "", **query: str) -> tuple[int, str]:
        """Status and text of a page.

        Args:
            within: the scraper's timeout.
        """
        url = f"{self.url}/{path}?{urllib.parse.urlencode(query)}"
        headers = {"X-Prometheus-Scrape-Timeout-Seconds": within} if within else {}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=120) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def figures(self, path: str, within: str = "", **query: str) -> dict[str, float]:
        """The samples of a page by their names and label values."""
        status, text = self.get(path, within, **query)
        assert status == 200, text
        return {
            " ".join((sample.name, *(sample.labels[each] for each in sorted(sample.labels)))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("service"))
    try:
        yield made
    finally:
        made.running.close()


def test_three_targets_are_good_busy_and_dead(service: Service, ivr: str, busy: str, dead: str) -> None:
    good = service.figures("probe", target=f"sip:{ivr}", module="options")
    assert (good["probe_success"], good["probe_sip_status_code"], good["probe_ip_protocol"]) == (1, 200, 4)
    assert good["probe_sip_phase_duration_seconds first_response"] > 0
    assert sum(value for name, value in good.items() if name.startswith("probe_failed_due_to_")) == 0
    refused = service.figures("probe", target=busy, module="options")
    assert (refused["probe_success"], refused["probe_sip_status_code"]) == (0, 486)
    assert refused["probe_failed_due_to_code"] == 1
    silent = service.figures("probe", "1.5", target=dead, module="options")
    assert (silent["probe_success"], silent["probe_sip_status_code"]) == (0, 0)
    assert silent["probe_failed_due_to_timeout"] == 1
    assert silent["probe_duration_seconds"] < 30, "the scraper leaves less than the module"
    assert service.figures("probe", target=busy, module="busy")["probe_success"] == 1


def test_a_call_is_probed_with_its_media_and_digits(service: Service, ivr: str) -> None:
    found = service.figures("probe", target=f"ivr@{ivr}", module="call")
    assert found["probe_success"] == 1
    assert found["probe_sip_rtp_packets sent"] > 0 < found["probe_sip_rtp_packets received"]
    assert found["probe_sip_phase_duration_seconds digits"] > 0 < found["probe_sip_phase_duration_seconds end"]


def test_debug_shows_steps_messages_and_module_as_text(service: Service, ivr: str) -> None:
    status, text = service.get("probe", target=ivr, module="call", debug="true")
    assert status == 200
    assert f"INVITE sip:{ivr}" in text
    assert re.search(r"^ +\d+\.\d{4} .*\|-- INVITE sip:.* -+>\|", text, re.MULTILINE)
    assert re.search(r"^probe_success [01]\.0$", text, re.MULTILINE)  # a busy machine may have lost a part of the audio
    assert "\nchecks.dtmf = '1234'\n" in text


@pytest.mark.parametrize(
    ("query", "within", "said"),
    [
        ({}, "", "name one target: /probe?target="),
        ({"target": ""}, "", "name one target"),
        ({"target": "127.0.0.1", "module": "no"}, "", "there is no module no; there are default, options, call, busy"),
        ({"target": "127.0.0.1", "module": ""}, "", "there is no module of an empty name; there are default, options"),
        ({"target": "mailto:a@127.0.0.1"}, "", "the scheme mailto is not sip or sips"),
        ({"target": "sip:a b", "module": "options"}, "", "target 'sip:a b': "),
        ({"target": "192.0.2.1", "module": "options"}, "", "outside of loopback, link-local and private networks"),
        ({"target": "127.0.0.1"}, "soon", "X-Prometheus-Scrape-Timeout-Seconds is soon, which is no time in seconds"),
        ({"target": "127.0.0.1"}, "inf", "X-Prometheus-Scrape-Timeout-Seconds is inf"),
    ],
)
def test_a_request_that_cannot_be_met_is_400_with_the_fix(
    service: Service, query: dict[str, str], within: str, said: str
) -> None:
    status, text = service.get("probe", within, **query)
    assert status == 400
    assert said in text
    assert text.count("\n") == 1


def test_the_service_has_figures_and_a_health_of_its_own(service: Service, ivr: str) -> None:
    before = service.figures("metrics").get("sipswarm_probes_total default success", 0.0)
    assert service.figures("probe", target=ivr)["probe_success"] == 1

    def counted() -> bool:
        return service.figures("metrics")["sipswarm_probes_total default success"] == before + 1

    wait_until(counted, SECONDS, "the probe in /metrics")
    found = service.figures("metrics")
    assert found["sipswarm_probe_duration_seconds_count default"] >= 1
    assert not any(name.startswith("sipswarm_call") for name in found)
    status, text = service.get("healthz")
    assert (status, json.loads(text)["status"]) == (200, "healthy")


def test_one_probe_too_many_is_503_and_a_place_comes_back(tmp_path: Path, ivr: str, dead: str) -> None:
    made = Service(tmp_path, "--max-probes", "1")
    try:
        first = threading.Thread(target=made.get, args=("probe", "30"), kwargs={"target": dead, "module": "options"})
        first.start()
        active = "sipswarm_probes_active options"
        wait_until(lambda: made.figures("metrics")[active] == 1, SECONDS, "the first probe at work")
        status, text = made.get("probe", target=ivr, module="options")
        assert (status, "raise --max-probes" in text) == (503, True)
        code, errors = made.running.end(signal.SIGTERM)
        assert (code, errors) == (0, ""), "the probe at work is ended with the service"
        first.join(SECONDS)
        assert not first.is_alive()
    finally:
        made.running.close()


def test_sighup_reads_the_modules_again_and_an_error_keeps_those_before(tmp_path: Path, ivr: str) -> None:
    made = Service(tmp_path)
    try:
        assert made.get("probe", target=ivr, module="new")[0] == 400
        made.file.write_text("[modules.new]\n")
        made.running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: made.get("probe", target=ivr, module="new")[0] == 200, SECONDS, "the new module")
        assert made.get("probe", target=ivr, module="busy")[0] == 400
        made.file.write_text("[modules.new]\nwrong = 1\n")
        made.running.process.send_signal(signal.SIGHUP)
        stderr = made.running.process.stderr
        assert stderr is not None
        assert stderr.readline() == "the modules were read again\n"
        assert "the modules before go on: " in stderr.readline()
        assert made.get("probe", target=ivr, module="new")[0] == 200
        assert made.running.end(signal.SIGTERM) == (0, "")
    finally:
        made.running.close()


def test_a_busy_address_is_an_error_of_the_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["probe", "--serve", f"127.0.0.1:{taken.getsockname()[1]}"]) == 2
