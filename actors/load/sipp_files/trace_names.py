"""The names of the files that SIPp's options of traces write: those that SIPp makes, or those that were given. Pure."""

from typing import NamedTuple

from ...diagnosis.sipp_trace_options import SippTraceConfig


class TraceNames(NamedTuple):
    """The files of one run; an empty name = it is not written."""

    statistics: str
    """`-trace_stat`."""
    response_times: str
    """`-trace_rtt`."""
    errors: str
    """`-trace_err`."""
    error_codes: str
    """`-trace_error_codes`."""
    messages: str
    """`-trace_msg`."""
    short_messages: str
    """`-trace_shortmsg`."""


def names_of(given: SippTraceConfig, scenario: str, pid: int) -> TraceNames:
    """Return the names of the files that the options of a run ask for.

    Args:
        given: the options.
        scenario: name of the scenario file, without folder and suffix.
        pid: of the process that the user started.
    """
    begin = f"{scenario}_{pid}_"
    wanted = (
        (given.trace_statistics, given.statistics_file, ".csv"),
        (given.trace_response_times, "", "rtt.csv"),
        (given.trace_errors, given.error_file, "errors.log"),
        (given.trace_error_codes, "", "error_codes.csv"),
        (given.trace_messages, given.message_file, "messages.log"),
        (given.trace_short_messages, given.short_message_file, "shortmessages.log"),
    )
    return TraceNames(*((name or begin + end) if is_wanted else "" for is_wanted, name, end in wanted))
