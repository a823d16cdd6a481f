"""The options that belong to a scenario file of SIPp, by the names that SIPp has for them.

Plain data, as `option_kinds`. `config` gives it to the processes of a node.
"""

from dataclasses import dataclass

from .option_kinds import Count, Flag, Kind, Number, OneOf, Seconds, option

_REPEATS = Count(0, 1000)


@dataclass(frozen=True, slots=True)
class SippFileConfig:
    """What a scenario file of SIPp gets besides its calls."""

    keys: tuple[tuple[str, str], ...] = option(
        (),
        "-key",
        check=Kind.PAIR,
        many=True,
        about="NAME VALUE: text of the keyword [NAME] in a scenario file of SIPp; repeatable.",
    )
    """Names and values of keywords."""
    builtin: str = option(
        "",
        "-sn",
        check=Kind.TEXT,
        about="Instead of -sf: a scenario of SIPp that comes with sipswarm: uac, uas … -sd NAME prints it.",
    )
    """Its name."""
    variables: tuple[tuple[str, str], ...] = option(
        (),
        "-set",
        check=Kind.PAIR,
        many=True,
        about="NAME VALUE: first value of a global variable of a scenario file of SIPp; repeatable.",
    )
    """Names and values of global variables."""
    indexes: tuple[tuple[str, str], ...] = option(
        (),
        "-infindex",
        check=Kind.PAIR,
        many=True,
        about="FILE FIELD: field of the rows of -inf by which a scenario file of SIPp looks them up; repeatable.",
    )
    """Names of files of rows, and numbers of fields."""
    allow_exec: bool = option(
        False, "--allow-exec", check=Flag(), about="Let a scenario file of SIPp run programs (exec command)."
    )
    auto_answer: bool = option(
        False,
        "-aa",
        check=Flag(),
        about="Answer INFO, NOTIFY, OPTIONS and UPDATE that a scenario file of SIPp does not expect by 200.",
    )
    no_default_behaviours: bool = option(
        False,
        "-nd",
        check=Flag(),
        about="Do nothing that a scenario file of SIPp does not say: -default_behaviors none.",
    )
    default_behaviours: str = option(
        "all",
        "-default_behaviors",
        check=Kind.TEXT,
        about="What a call of a scenario file of SIPp does by itself: all, none, bye, abortunexp, pingreply, badcseq, "
        "with commas between; -bye turns one off.",
    )
    no_repeats: bool = option(
        False, "-nr", check=Flag(), about="Repeat no message of a scenario file of SIPp, and recognize no repetition."
    )
    repeats: int | None = option(
        None,
        "-max_retrans",
        check=_REPEATS,
        optional=True,
        about="Maximum repetitions of a message of a scenario file of SIPp.  [default: 5 of an INVITE, 10 of others]",
    )
    """None = the two below hold."""
    invite_repeats: int = option(
        5,
        "-max_invite_retrans",
        check=_REPEATS,
        about="Maximum repetitions of an INVITE of a scenario file of SIPp.",
    )
    other_repeats: int = option(
        10,
        "-max_non_invite_retrans",
        check=_REPEATS,
        about="Maximum repetitions of any other message of a scenario file of SIPp.",
    )
    t2: float = option(
        4.0,
        "-T2",
        check=Seconds(unit_needed=True),
        written="4s",
        about="Longest time between two repetitions of a message of a scenario file of SIPp, but of an INVITE.",
    )
    """Seconds."""
    repetition_check: str = option(
        "full",
        "-rtcheck",
        check=OneOf(("full", "loose")),
        about="How a scenario file of SIPp recognizes a repetition: by all octets, or by To, From, Call-ID and CSeq.",
    )
    receive_timeout: float = option(
        0.0,
        "-recv_timeout",
        check=Seconds(unit_needed=True),
        written="0s",
        about="How long a recv of a scenario file of SIPp waits that has no timeout; 0 = without limit.",
    )
    """Seconds."""
    base_cseq: int = option(
        1, "-base_cseq", check=Count(1, 2**31 - 1), about="First [cseq] of each call of a scenario file of SIPp."
    )
    lost: float = option(
        0.0,
        "-lost",
        check=Number(0, 100),
        about="Messages in a hundred that a scenario file of SIPp drops where it does not say it itself.",
    )
    """In a hundred."""
    ignored_in_pause: bool = option(
        False, "-pause_msg_ign", check=Flag(), about="Ignore messages that come in a pause of a scenario file of SIPp."
    )
    strict: bool = option(
        False, "--sipp-strict", check=Flag(), about="Do as SIPp also where sipswarm differs on purpose."
    )
