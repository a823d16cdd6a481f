"""The options of a load that belong to a scenario file of SIPp: its rows, Call-IDs, other sides of calls.

Plain data, as `sipp_options`, which has what robots take too.
"""

from dataclasses import dataclass

from .option_kinds import Kind, option


@dataclass(frozen=True, slots=True)
class SippLoadConfig:
    """What a load with a scenario file of SIPp gets besides its calls."""

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
