"""What a finished call missed, row by row, and the one list of reasons with its blame."""

from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.config import LoadConfig
from sipswarm.actors.counting.table import BY_NAME
from sipswarm.actors.diagnosis.failure_reasons import (
    OF_CAUSE,
    REASONS,
    WITHOUT_ROW,
    Blame,
    blame_of,
    reason_of,
    words_of,
)
from sipswarm.actors.load.expectations import missed
from tests.actors.rows import REFUSED, ROW, UNSENT

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "verdict.md"


def load(**expected: Any) -> LoadConfig:
    return LoadConfig("sip:127.0.0.1", hold=expected.pop("hold", 2.0), **expected)


@pytest.mark.parametrize(
    ("changes", "expected", "reason"),
    [
        # answered and closed as planned
        ({}, {}, ""),
        # what ended the call by itself, whatever was expected
        ({"cause": "bad_description", "duration": 0.0}, {"hold": 0.0}, "bad_description"),
        ({"cause": "no_port", "outcome": "not_sent", "code": 0}, {"expect_code": 486}, "no_port"),
        ({"cause": "no_descriptor", "outcome": "not_sent", "code": 0}, {}, "no_descriptor"),
        ({"cause": "media_worker_lost", "duration": 1.0}, {}, "media_lost"),
        ({"cause": "failed", "detail": "no such file", "duration": 1.0}, {}, "media_failed"),
        ({"cause": "session_expired"}, {}, "session_expired"),
        ({"cause": "no_ack", "ended_by": "expired", "duration": 1.0}, {}, "no_ack"),
        ({"cause": "max_call_time", "duration": 1.0}, {}, "max_call_time"),
        ({"cause": "max_call_time"}, {"scenario": "s.py:scenario"}, "max_call_time"),
        ({"cause": "local_transport", "outcome": "transport_error", "code": 0}, {}, "no_transport"),
        ({"cause": "too_long", "outcome": "transport_error", "code": 0}, {}, "no_transport"),
        ({"cause": "no_way", "outcome": "transport_error", "code": 0}, {}, "no_transport"),
        ({"cause": "no_way", "duration": 0.0}, {}, "bad_contact"),
        ({"cause": "no_way", "duration": 0.0}, {"scenario": "s.py:scenario"}, "bad_contact"),
        ({"cause": "unreachable", "outcome": "transport_error", "code": 0}, {}, "unreachable"),
        ({"cause": "bad_description"}, {"scenario": "s.py:scenario"}, "bad_description"),
        ({"cause": "no_port", "outcome": "not_sent", "code": 0}, {"scenario": "s.py:scenario"}, "no_port"),
        # its final response
        ({"outcome": "busy", "code": 486, "cause": "rejected"}, {}, "code"),
        ({"outcome": "busy", "code": 486, "cause": "rejected"}, {"expect_code": 486}, ""),
        ({"outcome": "busy", "code": 486, "cause": "rejected"}, {"scenario": "s.py:scenario"}, ""),
        ({}, {"expect_code": 486}, "code"),
        ({"outcome": "timeout", "code": 0, "cause": "timeout"}, {}, "timeout"),
        ({"outcome": "timeout", "code": 487, "cause": "no_answer"}, {}, "timeout"),
        ({"outcome": "timeout", "code": 200, "cause": "no_answer"}, {}, "timeout"),
        # how long it lasted
        ({"duration": 1.8}, {}, ""),
        ({"duration": 1.79, "ended_by": "remote"}, {}, "ended_early"),
        ({"duration": 1.79}, {}, "cut_short"),
        ({"duration": 1.0, "cause": "drained"}, {}, ""),
        ({"duration": 0.2, "ended_by": "remote"}, {"hold": 0.6}, "ended_early"),
        ({"duration": 0.04, "ended_by": "remote"}, {"hold": 0.1}, "ended_early"),
        ({"duration": 59.6, "ended_by": "remote"}, {"hold": 60.0}, ""),
        ({"duration": 59.4, "ended_by": "remote"}, {"hold": 60.0}, "ended_early"),
        ({"duration": 0.0, "ended_by": "remote"}, {"hold": 0.0}, ""),
        # timers count in whole milliseconds
        ({"duration": 0.000894}, {"hold": 0.001}, ""),
        ({"duration": 0.0011}, {"hold": 0.002}, ""),
        ({"duration": 0.004}, {"hold": 0.005}, ""),
        ({"duration": 0.0029}, {"hold": 0.005}, "cut_short"),
        ({"duration": 0.0, "ended_by": "remote"}, {"hold": 0.001}, "ended_early"),
        ({"duration": 0.004, "ended_by": "remote"}, {"hold": 0.005}, "ended_early"),
        ({"duration": 0.1, "ended_by": "remote"}, {"scenario": "s.py:scenario"}, ""),
        # given up before any answer, because the run ended
        ({"outcome": "cancelled", "code": 487, "cause": "drained"}, {}, "drained"),
        # its digits
        ({"digits_sent": 3}, {"dtmf": "12p34"}, "digits_not_sent"),
        ({"digits_sent": 4}, {"dtmf": "12p34"}, ""),
        ({"digits_sent": 4}, {"dtmf": "??,??"}, ""),
        ({"digits_missed": 1}, {"expect_dtmf": "1234"}, "digits"),
        # its media
        ({"rtp_received": 0}, {"expect_media": True}, "one_way"),
        ({"rtp_received": 0, "rtp_sent": 0}, {"expect_media": True}, "silent"),
        ({"rtp_received": 0, "rtp_sent": 0}, {"expect_audio": True}, "silent"),
        ({"audible": 0.4}, {"expect_audio": True}, "audio"),
        ({"audible": -1.0}, {"expect_audio": True}, "audio"),
        ({"mos": 3.9}, {"expect_mos": 4.0}, "mos"),
        # how its end was confirmed
        ({"closed": "refused"}, {}, "bye_refused"),
        ({"closed": "unanswered"}, {}, "bye_unanswered"),
        ({"closed": "lost"}, {}, "transport_error"),
        ({"closed": "unanswered"}, {"scenario": "s.py:scenario"}, "bye_unanswered"),
        # the other side of a call that lost its media worker is not judged, whatever was missed
        ({"media_moved": 0.2}, {}, "media_interrupted"),
        ({"media_moved": 0.2, "rtp_received": 0, "rtp_sent": 0}, {"expect_media": True}, "media_interrupted"),
        ({"media_moved": 0.2, "digits_missed": 1}, {"expect_dtmf": "1234"}, "media_interrupted"),
        ({"media_moved": 0.2, "duration": 1.0, "ended_by": "remote"}, {}, "media_interrupted"),
        ({"media_moved": 0.2, "closed": "refused"}, {}, "media_interrupted"),
        ({"media_moved": 0.2, "closed": "unanswered"}, {}, "media_interrupted"),
        ({"media_moved": 0.2, "closed": "unanswered"}, {"scenario": "s.py:scenario"}, "media_interrupted"),
        ({"media_moved": 0.2, "cause": "dialog_gone", "duration": 1.0}, {}, "media_interrupted"),
        ({"media_moved": 0.2, "failure": "the greeting is heard"}, {"scenario": "s.py:scenario"}, "media_interrupted"),
        ({"media_moved": 1.0, "media_lost": True}, {}, "media_lost"),
        ({"media_moved": 1.0, "media_lost": True, "closed": "unanswered"}, {}, "media_lost"),
        ({"media_moved": 1.0, "media_lost": True, "duration": 1.0, "ended_by": "remote"}, {}, "media_lost"),
        ({"media_lost": True}, {}, ""),
        ({"media_lost": True, "rtp_received": 0, "rtp_sent": 0}, {"expect_media": True}, "media_lost"),
        ({"media_lost": True, "outcome": "busy", "code": 486, "cause": "rejected"}, {}, "media_lost"),
        ({"media_moved": 0.2, "outcome": "busy", "code": 486, "cause": "rejected"}, {"expect_code": 486}, ""),
        ({"media_moved": 0.2, "cause": "no_port", "outcome": "not_sent", "code": 0}, {}, "no_port"),
        ({"media_moved": 0.2, "cause": "max_call_time", "duration": 1.0}, {}, "max_call_time"),
        # nor where a process of ours stood still for as long as explains it
        ({"media_stood_still": 1.0}, {"expect_media": True}, ""),
        ({"media_stood_still": 1.3, "media_present": 0.7}, {"expect_media": True}, "stood_still"),
        ({"stood_still": 1.3, "media_present": 0.7}, {"expect_media": True}, "stood_still"),
        ({"media_stood_still": 0.6, "media_present": 0.2}, {"expect_media": True}, "media_share"),
        ({"media_stood_still": 1.6, "rtp_received": 0}, {"expect_media": True}, "stood_still"),
        ({"media_stood_still": 1.6, "rtp_sent": 0, "rtp_received": 0}, {"expect_media": True}, "stood_still"),
        ({"media_stood_still": 0.6, "rtp_received": 0}, {"expect_media": True}, "one_way"),
        ({"media_stood_still": 0.6, "rtp_sent": 0, "rtp_received": 0}, {"expect_media": True}, "silent"),
        ({"media_stood_still": 1.6, "remote_loss": 0.9}, {"expect_media": True}, "one_way"),
        ({"media_stood_still": 1.6, "unreachable_share": 0.9}, {"expect_media": True}, "media_unreachable"),
        ({"media_stood_still": 0.6, "mos": 3.9}, {"expect_mos": 4.0}, "stood_still"),
        ({"media_stood_still": 0.6, "mos": 3.9, "media_due": 61.0, "media_present": 61.0}, {"expect_mos": 4.0}, "mos"),
        ({"media_stood_still": 0.6, "digits_missed": 1}, {"expect_dtmf": "1234"}, "stood_still"),
        ({"stood_still": 0.6, "digits_missed": 1}, {"expect_dtmf": "1234"}, "stood_still"),
        ({"media_stood_still": 0.6, "failure": "it is heard"}, {"scenario": "s.py:scenario"}, "stood_still"),
        ({"media_stood_still": 0.6, "closed": "refused"}, {}, "bye_refused"),
        ({"stood_still": 0.6, "closed": "refused"}, {}, "stood_still"),
        ({"stood_still": 0.6, "duration": 1.0, "ended_by": "remote"}, {}, "stood_still"),
        ({"stood_still": 0.6, "outcome": "timeout", "code": 0, "cause": "timeout"}, {}, "timeout"),
        ({"stood_still": 1.1, "outcome": "timeout", "code": 0, "cause": "timeout"}, {}, "stood_still"),
        ({"stood_still": 15.0, "closed": "unanswered"}, {}, "bye_unanswered"),
        ({"stood_still": 16.0, "closed": "unanswered"}, {}, "stood_still"),
        ({"stood_still": 1.9, "outcome": "busy", "code": 486, "cause": "rejected"}, {}, "code"),
        ({"stood_still": 1.9, "cause": "bad_description", "duration": 0.0}, {}, "bad_description"),
        ({"stood_still": 1.9, "cause": "no_port", "outcome": "not_sent", "code": 0}, {}, "no_port"),
        ({"stood_still": 1.9, "failure": "stood_still"}, {}, "stood_still"),
        # nor where the network of this host was away
        ({"network_down": 1.0}, {"expect_media": True}, ""),
        ({"network_down": 1.3, "media_present": 0.7}, {"expect_media": True}, "network_down"),
        ({"network_down": 0.6, "media_present": 0.2}, {"expect_media": True}, "media_share"),
        ({"network_down": 1.6, "rtp_received": 0}, {"expect_media": True}, "network_down"),
        ({"network_down": 0.6, "rtp_received": 0}, {"expect_media": True}, "one_way"),
        ({"network_down": 0.6, "remote_loss": 0.9}, {"expect_media": True}, "network_down"),
        ({"network_down": 0.2, "remote_loss": 0.9}, {"expect_media": True}, "one_way"),
        ({"network_down": 1.6, "unreachable_share": 0.9}, {"expect_media": True}, "media_unreachable"),
        ({"network_down": 0.1, "mos": 3.9}, {"expect_mos": 4.0}, "network_down"),
        ({"network_down": 0.1, "digits_missed": 1}, {"expect_dtmf": "1234"}, "network_down"),
        ({"network_down": 0.6, "duration": 1.0, "ended_by": "remote"}, {}, "network_down"),
        ({"network_down": 0.6, "outcome": "timeout", "code": 0, "cause": "timeout"}, {}, "timeout"),
        ({"network_down": 1.1, "outcome": "timeout", "code": 0, "cause": "timeout"}, {}, "network_down"),
        ({"network_down": 16.0, "closed": "unanswered"}, {}, "network_down"),
        ({"network_down": 1.9, "outcome": "busy", "code": 486, "cause": "rejected"}, {}, "code"),
        ({"network_down": 1.9, "cause": "no_port", "outcome": "not_sent", "code": 0}, {}, "no_port"),
        ({"network_down": 1.3, "stood_still": 1.3, "media_present": 0.7}, {"expect_media": True}, "stood_still"),
        # or the system refused to send the media
        ({"rtp_refused": 65, "media_present": 0.7}, {"expect_media": True}, "network_down"),
        ({"rtp_refused": 30, "media_present": 0.2}, {"expect_media": True}, "media_share"),
        ({"rtp_refused": 2, "media_present": 1.2}, {"expect_media": True}, "media_share"),
        ({"rtp_refused": 100, "rtp_received": 0}, {"expect_media": True}, "network_down"),
        ({"rtp_refused": 100, "duration": 1.0, "ended_by": "remote"}, {}, "ended_early"),
        ({"rtp_refused": 50, "digits_missed": 1}, {"expect_dtmf": "1234"}, "network_down"),
        ({"rtp_refused": 1, "digits_missed": 1}, {"expect_dtmf": "1234"}, "digits"),
        # what somebody has judged before stays
        ({"failure": "the greeting is heard", "closed": "refused"}, {}, "the greeting is heard"),
    ],
)
def test_a_call_fails_by_the_first_thing_that_it_missed(
    changes: dict[str, Any], expected: dict[str, Any], reason: str
) -> None:
    assert missed(ROW._replace(**changes), load(**expected)) == reason


def test_the_rows_that_other_tests_use_are_judged_as_they_read() -> None:
    assert [missed(each, load()) for each in (ROW, REFUSED, UNSENT)] == ["", "code", "unreachable"]


def test_every_reason_is_a_label_value_and_stands_in_the_document_with_its_blame() -> None:
    assert BY_NAME["sipswarm_call_failures_total"].closed["reason"] == tuple(
        each for each in REASONS if each not in WITHOUT_ROW
    )
    assert BY_NAME["sipswarm_calls_failed_total"].closed["blame"] == tuple(each.value for each in Blame)
    page = DOCUMENT.read_text()
    for name, reason in REASONS.items():
        assert f"| `{name}` | {reason.blame.value} | {reason.words} |" in page


def test_every_cause_that_fails_a_call_leads_to_a_reason_of_the_list() -> None:
    assert set(OF_CAUSE.values()) <= set(REASONS)
    assert reason_of("bye") == reason_of("") == reason_of("rejected") == ""


def test_an_assertion_of_a_scenario_is_about_the_system_under_test() -> None:
    assert blame_of("the digit is right") is Blame.SUT
    assert words_of("the digit is right") == "the digit is right"
    assert blame_of("no_port") is Blame.GENERATOR
    assert blame_of("scenario_error") is Blame.PLAN
