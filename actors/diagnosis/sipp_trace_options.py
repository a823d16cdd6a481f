"""The options of the files that SIPp writes of a run of a scenario file: `-trace_stat`, `-trace_msg` …

Plain data, as `sipp_options`.
"""

from dataclasses import dataclass

from .option_kinds import Flag, Kind, Seconds, option


@dataclass(frozen=True, slots=True)
class SippTraceConfig:
    """The files of a run of a load or robot."""

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

    @property
    def says(self) -> bool:
        """Whether lines of errors are wanted."""
        return self.trace_errors or self.trace_error_codes

    @property
    def records(self) -> bool:
        """Whether messages are wanted."""
        return self.trace_messages or self.trace_short_messages

    @property
    def are_wanted(self) -> bool:
        """Whether any file is wanted."""
        return self.says or self.records or self.trace_statistics or self.trace_response_times
