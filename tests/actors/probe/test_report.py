"""The report of a probe: its phases, its one failure, and what it becomes for Prometheus and for people."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sipswarm.actors.config import AccountConfig, CallSettings
from sipswarm.actors.diagnosis.failure_reasons import REASONS, Blame
from sipswarm.actors.probe.figures import FIGURES, as_json, debug_text, exposition, lines_of
from sipswarm.actors.probe.module import Module, ProbeChecks
from sipswarm.actors.probe.report import (
    CALL_PHASES,
    MOST_NOTES,
    OPTIONS_PHASES,
    PHASES,
    REGISTER_PHASES,
    Failure,
    MediaFigures,
    ProbeFailed,
    ProbeReport,
    failure_of,
)
from sipswarm.sipcore.message.hop import Hop

PAGE = (Path(__file__).parents[3] / "docs" / "probing.md").read_text()
NAMES = [each.name for each in FIGURES]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def report_of(phases: Sequence[str] = OPTIONS_PHASES) -> tuple[ProbeReport, Clock]:
    clock = Clock()
    return ProbeReport("sip:a@192.0.2.1", phases=phases, clock=clock), clock


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_probe_of_options_that_passed_is_1_with_its_phases_and_no_failure() -> None:
    report, clock = report_of()
    report.goes_to(Hop("udp", "192.0.2.1", 5060))
    report.took("resolve", 0.25)
    report.took("first_response", 0.5)
    report.got(200, "OK")
    clock.now += 1.5
    report.end()
    found = samples(exposition(report))
    assert found["probe_success", ()] == 1
    assert found["probe_duration_seconds", ()] == 1.5
    assert found["probe_dns_lookup_time_seconds", ()] == 0.25
    assert found["probe_ip_protocol", ()] == 4
    assert found["probe_sip_status_code", ()] == 200
    phases = {labels[0][1]: value for (name, labels), value in found.items() if name.startswith("probe_sip_phase")}
    assert phases == {"resolve": 0.25, "connect": 0, "tls": 0, "first_response": 0.5, "answer": 0}
    assert [name for (name, _), value in found.items() if name.startswith("probe_failed") and value] == []
    names = {name for name, _ in found}
    assert not names & {"probe_tls_earliest_cert_expiry", "probe_sip_rtp_packets", "probe_sip_rtp_mos"}
    assert list(lines_of(report))[-1] == "passed after 1.500 s (udp:192.0.2.1:5060)"


def test_a_call_has_its_own_phases_its_media_and_the_certificate() -> None:
    report, _ = report_of(CALL_PHASES)
    report.goes_to(Hop("tls", "2001:db8::1", 5061))
    report.saw_certificate(1.9e9)
    report.counted(MediaFigures(100, 99, 1, 0.002, 4.4))
    report.end()
    found = samples(exposition(report))
    assert {labels[0][1] for name, labels in found if name.startswith("probe_sip_phase")} == set(CALL_PHASES)
    assert found["probe_ip_protocol", ()] == 6
    assert found["probe_tls_earliest_cert_expiry", ()] == 1.9e9
    assert found["probe_sip_rtp_packets", (("direction", "sent"),)] == 100
    assert found["probe_sip_rtp_packets", (("direction", "received"),)] == 99
    assert found["probe_sip_rtp_packets_lost", ()] == 1
    assert found["probe_sip_rtp_mos", ()] == 4.4
    assert {name for name, _ in found} == set(NAMES)


@pytest.mark.parametrize("failure", Failure)
def test_the_first_failure_counts_and_has_its_own_figure(failure: Failure) -> None:
    report, _ = report_of()
    report.fail(failure, "it went wrong")
    report.fail(next(each for each in Failure if each is not failure), "and worse")
    report.end()
    found = samples(exposition(report))
    failed = [name for (name, _), value in found.items() if name.startswith("probe_failed_due_to_") and value]
    assert failed == [f"probe_failed_due_to_{failure.value}"]
    assert found["probe_success", ()] == 0
    said = json.loads(as_json(report))
    assert (said["success"], said["failure"], said["detail"]) == (False, failure.value, "it went wrong")
    assert list(lines_of(report)) == [f"FAILED ({failure.value}) after 0.000 s: it went wrong"]


def test_when_the_time_is_over_the_failure_is_that_of_the_step_which_it_waited_for() -> None:
    report, _ = report_of()
    report.waits("the response to BYE", Failure.END)
    report.fail_in_time(5.0)
    assert (report.failure, report.detail) == (Failure.END, "the response to BYE did not come within 5 s")


def test_each_reason_of_the_other_side_is_a_failure_of_the_target_and_each_other_one_is_local() -> None:
    for name, reason in REASONS.items():
        assert (failure_of(name) is Failure.LOCAL) == (reason.blame is not Blame.SUT), name
    assert failure_of("digits_not_sent") is Failure.DIGITS
    assert failure_of("one_way") is Failure.MEDIA
    assert failure_of("bye_unanswered") is Failure.END
    assert failure_of("credentials_refused") is Failure.CREDENTIALS
    assert failure_of("unreachable") is Failure.CONNECT
    assert ProbeFailed.by_reason("code").failure is Failure.CODE


def test_texts_of_peers_are_one_printable_line_and_their_number_is_bounded() -> None:
    seen: list[str] = []
    report = ProbeReport("sip:a@192.0.2.1", phases=CALL_PHASES, clock=Clock(), on_note=seen.append)
    for _ in range(2 * MOST_NOTES):
        report.note("183 \x1b[2J\nevil")
    report.end()
    assert len(report.notes) == MOST_NOTES
    assert len(seen) == 2 * MOST_NOTES
    assert all(each.isprintable() for each in seen)
    text = debug_text(report, Module())
    assert all(line.isprintable() for line in text.split("\n"))


def test_the_text_for_people_has_the_module_without_its_password() -> None:
    report, _ = report_of()
    report.note("OPTIONS sip:a@192.0.2.1")
    report.end()
    settings = CallSettings(account=AccountConfig(user="alice", password="open-sesame"))
    text = debug_text(report, Module(checks=ProbeChecks(expect_code=(486,)), settings=settings))
    assert "OPTIONS sip:a@192.0.2.1" in text
    assert "checks.expect_code = (486,)" in text
    assert "settings.account.user = 'alice'" in text
    assert "probe_success 1.0" in text
    assert "open-sesame" not in text


def test_the_page_names_every_figure_phase_and_failure() -> None:
    rows = dict(re.findall(r"^\| `(probe_\w+)` \| (.+) \|$", PAGE, re.MULTILINE))
    assert rows == {each.name: each.help for each in FIGURES}
    named = re.findall(r"^\| `(\w+)` \| .* \|$", PAGE, re.MULTILINE)
    assert [each for each in named if not each.startswith("probe_")] == [*PHASES, *(each.value for each in Failure)]
    for each in (OPTIONS_PHASES, CALL_PHASES, REGISTER_PHASES):
        assert [name for name in PHASES if name in each] == list(each)
