"""The lines of SIPp's files against lines that SIPp 3.6.1 has written."""

from datetime import UTC

import pytest

from sipswarm.actors.sipp.traces.messages import (
    error_codes_line,
    error_line,
    message_entry,
    response_time_line,
    short_message_line,
)
from sipswarm.actors.sipp.traces.stamps import clock, span, stamp
from sipswarm.actors.sipp.traces.statistics import Columns, Figures, Moment, Times, row

AT = 1796053640.085414
STAMP = "2026-11-30\t15:47:20.085414\t1796053640.085414"
HEADER = (
    "StartTime;LastResetTime;CurrentTime;ElapsedTime(P);ElapsedTime(C);TargetRate;CallRate(P);CallRate(C);"
    "IncomingCall(P);IncomingCall(C);OutgoingCall(P);OutgoingCall(C);TotalCallCreated;CurrentCall;SuccessfulCall(P);"
    "SuccessfulCall(C);FailedCall(P);FailedCall(C);FailedCannotSendMessage(P);FailedCannotSendMessage(C);"
    "FailedMaxUDPRetrans(P);FailedMaxUDPRetrans(C);FailedTcpConnect(P);FailedTcpConnect(C);FailedTcpClosed(P);"
    "FailedTcpClosed(C);FailedUnexpectedMessage(P);FailedUnexpectedMessage(C);FailedCallRejected(P);"
    "FailedCallRejected(C);FailedCmdNotSent(P);FailedCmdNotSent(C);FailedRegexpDoesntMatch(P);"
    "FailedRegexpDoesntMatch(C);FailedRegexpShouldntMatch(P);FailedRegexpShouldntMatch(C);FailedRegexpHdrNotFound(P);"
    "FailedRegexpHdrNotFound(C);FailedOutboundCongestion(P);FailedOutboundCongestion(C);FailedTimeoutOnRecv(P);"
    "FailedTimeoutOnRecv(C);FailedTimeoutOnSend(P);FailedTimeoutOnSend(C);FailedTestDoesntMatch(P);"
    "FailedTestDoesntMatch(C);FailedTestShouldntMatch(P);FailedTestShouldntMatch(C);FailedStrcmpDoesntMatch(P);"
    "FailedStrcmpDoesntMatch(C);FailedStrcmpShouldntMatch(P);FailedStrcmpShouldntMatch(C);OutOfCallMsgs(P);"
    "OutOfCallMsgs(C);DeadCallMsgs(P);DeadCallMsgs(C);Retransmissions(P);Retransmissions(C);AutoAnswered(P);"
    "AutoAnswered(C);Warnings(P);Warnings(C);FatalErrors(P);FatalErrors(C);WatchdogMajor(P);WatchdogMajor(C);"
    "WatchdogMinor(P);WatchdogMinor(C);ResponseTimeinvite(P);ResponseTimeinvite(C);ResponseTimeinviteStDev(P);"
    "ResponseTimeinviteStDev(C);ResponseTime2(P);ResponseTime2(C);ResponseTime2StDev(P);ResponseTime2StDev(C);"
    "CallLength(P);CallLength(C);CallLengthStDev(P);CallLengthStDev(C);sent(P);sent(C);got(P);got(C);"
    "ResponseTimeRepartitioninvite;ResponseTimeRepartitioninvite_<10;ResponseTimeRepartitioninvite_<100;"
    "ResponseTimeRepartitioninvite_>=100;ResponseTimeRepartition2;ResponseTimeRepartition2_<10;"
    "ResponseTimeRepartition2_<100;ResponseTimeRepartition2_>=100;CallLengthRepartition;CallLengthRepartition_<10;"
    "CallLengthRepartition_<500;CallLengthRepartition_>=500;"
)
ROW = (
    "2026-11-30\t15:47:18.582900\t1796053638.582900;2026-11-30\t15:47:19.600894\t1796053639.600894;"
    f"{STAMP};00:00:00;00:00:01;3;4.13223;2.66312;0;0;2;4;4;0;1;3;1;1;0;0;0;0;0;0;0;0;1;1;"
    "0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;1;1;0;0;0;0;2;2;0;0;0;0;0;0;"
    "00:00:00:020000;00:00:00:022000;00:00:00:000000;00:00:00:004000;"
    "00:00:00:128000;00:00:00:126000;00:00:00:000000;00:00:00:002000;"
    "00:00:00:084000;00:00:00:117000;00:00:00:090000;00:00:00:064000;2;4;1;3;;0;3;0;;0;0;3;;0;4;0;"
)
COLUMNS = Columns(
    response_times=("invite", "2"), counters=("sent", "got"), response_limits=(10, 100), length_limits=(10, 500)
)


def times(*milliseconds: int, limits: tuple[int, ...] = (10, 100)) -> Times:
    found = Times([limit / 1000 for limit in limits])
    for each in milliseconds:
        found.add(each / 1000)
    return found


def test_the_header_of_statistics_is_that_of_sipp() -> None:
    assert COLUMNS.header() == HEADER
    assert Columns().header().endswith("CallLengthStDev(C);")


def test_a_row_of_statistics_is_that_of_sipp() -> None:
    period = Figures(
        elapsed=0.484,
        outgoing=2,
        successful=1,
        failed={"unexpected_message": 1},
        dead_call=1,
        warnings=2,
        response_times={"invite": times(20), "2": times(128)},
        call_length=times(20, 148, limits=(10, 500)),
        counters={"sent": 2, "got": 1},
    )
    whole = Figures(
        elapsed=1.502,
        outgoing=4,
        successful=3,
        failed={"unexpected_message": 1},
        dead_call=1,
        warnings=2,
        response_times={"invite": times(28, 20, 20), "2": times(124, 128, 128)},
        call_length=times(152, 148, 20, 148, limits=(10, 500)),
        counters={"sent": 4, "got": 3},
    )
    moment = Moment(started=1796053638.5829, reset=1796053639.600894, now=AT, rate=3, live=0)
    assert row(COLUMNS, moment, period, whole, UTC) == ROW


def test_header_and_rows_have_as_many_columns() -> None:
    moment = Moment(started=AT, reset=AT, now=AT, rate=0.5, live=0)
    for columns in (Columns(), COLUMNS, Columns(response_times=("1",), length_limits=(5,))):
        line = row(columns, moment, Figures(elapsed=0.0), Figures(elapsed=0.0), UTC)
        assert line.count(";") == columns.header().count(";")


def test_times_have_the_mean_and_deviation_of_the_sample() -> None:
    found = times(304, 308, 312)
    assert found.count == 3
    assert [found.mean, found.deviation] == pytest.approx([0.308, 0.004])
    assert times(5).deviation == 0
    assert times(9, 10, 99, 100, 5000).shares == [1, 2, 2]


def test_times_and_spans() -> None:
    assert stamp(AT, UTC) == STAMP
    assert (clock(3661.9), span(3661.25), span(0.0)) == ("01:01:01", "01:01:01:250000", "00:00:00:000000")


def test_lines_of_the_other_files() -> None:
    message = "SIP/2.0 200 OK\r\nCall-ID: 1-2@127.0.0.1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    assert short_message_line(AT, UTC, sent=False, message=message) == (
        f"{STAMP}\tR\t1-2@127.0.0.1\tCSeq:1 OPTIONS\tSIP/2.0 200 OK"
    )
    octets = message.encode("latin-1")
    rule = b"----------------------------------------------- 2026-11-30 15:47:20.085414\n"
    assert message_entry(AT, UTC, transport="UDP", sent=True, message=octets) == (
        rule + b"UDP message sent (78 bytes):\n\n" + octets + b"\n"
    )
    assert message_entry(AT, UTC, transport="TCP", sent=False, message=octets) == (
        rule + b"TCP message received [78] bytes :\n\n" + octets + b"\n"
    )
    assert response_time_line(0.368001, 0.028, "invite") == "368.001;28;invite"
    assert response_time_line(1.356, 0.0204, "2") == "1356;20;2"
    assert error_line(AT, UTC, "expected 200") == f"{STAMP}: expected 200"
    assert error_codes_line(AT, UTC, 1.502, [486]) == f"{STAMP};00:00:01:502000;486,"
