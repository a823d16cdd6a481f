"""The options of a load that belong to a scenario file of SIPp: files that it writes, its rows, other sides of calls.

Plain data, as `sipp_options`, which has what robots take too.
"""

from dataclasses import dataclass

from .option_kinds import Flag, Kind, Seconds, option


@dataclass(frozen=True, slots=True)
class SippLoadConfig:
    """What a load with a scenario file of SIPp gets besides its calls."""

    trace_statistics: bool = option(
        False,
        "-trace_stat",
        check=Flag(),
        about="Write the statistics of a scenario file of SIPp to SCENARIO_PID_.csv, as SIPp does.",
    )
    statistics_file: str = option(
        "", "-stf", check=Kind.WRITTEN_FILE, shown="none", about="Name of the file of -trace_stat."
    )
    statistics_period: float = option(
        60.0,
        "-fd",
        check=Seconds(0.1, "rows would be written all the time", unit_needed=True),
        written="60s",
        about="Time between two rows of -trace_stat, and of -trace_error_codes.",
    )
    """Seconds."""
    statistics_delimiter: str = option(
        ";", "-stat_delimiter", check=Kind.TEXT, about="What stands between the columns of -trace_stat."
    )
    trace_response_times: bool = option(
        False,
        "-trace_rtt",
        check=Flag(),
        about="Write each response time of a scenario file of SIPp to SCENARIO_PID_rtt.csv, as SIPp does.",
    )
    trace_errors: bool = option(
        False,
        "-trace_err",
        check=Flag(),
        about="Write unexpected messages, failures and warnings of a scenario file of SIPp to SCENARIO_PID_errors.log.",
    )
    error_file: str = option(
        "", "-error_file", check=Kind.WRITTEN_FILE, shown="none", about="Name of the file of -trace_err."
    )
    trace_error_codes: bool = option(
        False,
        "-trace_error_codes",
        check=Flag(),
        about="Write the codes of unexpected responses of a scenario file of SIPp to SCENARIO_PID_error_codes.csv.",
    )
    trace_messages: bool = option(
        False,
        "-trace_msg",
        check=Flag(),
        about="Write all SIP of a scenario file of SIPp to SCENARIO_PID_messages.log, passwords masked.",
    )
    message_file: str = option(
        "", "-message_file", check=Kind.WRITTEN_FILE, shown="none", about="Name of the file of -trace_msg."
    )
    trace_short_messages: bool = option(
        False,
        "-trace_shortmsg",
        check=Flag(),
        about="Write a line for each SIP message of a scenario file of SIPp to SCENARIO_PID_shortmessages.log.",
    )
    short_message_file: str = option(
        "", "-shortmessage_file", check=Kind.WRITTEN_FILE, shown="none", about="Name of the file of -trace_shortmsg."
    )
    more_rows: tuple[str, ...] = option(
        (),
        "--more-data",
        check=Kind.TEXT,
        many=True,
        about="Further file of rows for a scenario file of SIPp; a second -inf means the same. Repeatable.",
    )
    """Files of rows behind the first one."""
    call_id_form: str = option(
        "",
        "-cid_str",
        check=Kind.TEXT,
        about="Call-IDs of a scenario file of SIPp: %u is the number of the call, %p the process, %s our address.",
    )
    """Empty = random ones."""
    authentication_uri: str = option(
        "",
        "-auth_uri",
        check=Kind.TEXT,
        about="What follows sip: in the uri of [authentication] of a scenario file of SIPp.  [default: the target]",
    )
    second_file: str = option(
        "",
        "--second-scenario",
        check=Kind.TEXT,
        shown="none",
        about="Other side of each call of a scenario file of SIPp (sendCmd, recvCmd); a second -sf means the same.",
    )
