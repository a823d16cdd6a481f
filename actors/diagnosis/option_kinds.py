"""Declarations of options: the kinds of values that a user may give, and how a field of a record names its option.

Plain data. `config` declares each option beside its default, the command line reads the declarations (`cli.options`)
and turns the user's text into values (`cli.values`). Nothing here may depend on either of them.
"""

from collections.abc import Callable
from dataclasses import field
from enum import Enum, auto
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")


class Kind(Enum):
    """Kinds of values that need no parameters; `cli.values` reads them."""

    TEXT = auto()
    ADVERTISED = auto()
    """An IP address that peers see."""
    BLOCK = auto()
    """`METHOD=CODE`."""
    CODECS = auto()
    """Names of codecs, with commas between."""
    DOMAIN = auto()
    """The name or address of a host, without port."""
    ENCRYPTION = auto()
    """off, optional or required."""
    EXPIRES = auto()
    """`LEAST:DEFAULT:LONGEST`, times."""
    FILLED = auto()
    """Text that is not blank."""
    HEADER = auto()
    """`Name: value`."""
    NETWORK = auto()
    """`ADDRESS/LENGTH`, or an address."""
    OWN_URI = auto()
    """A SIP URI with a host, which may lack its scheme."""
    PAIR = auto()
    """A name and a value, as two arguments."""
    PASSWORD_FILE = auto()
    """A file whose first line is the value."""
    PEM = auto()
    """A file of certificates or a key."""
    PORT_RANGE = auto()
    """`LOW-HIGH`, even ports."""
    RAMP = auto()
    """`FROM:TO/TIME`."""
    SHARE = auto()
    """`I/N`; its second number is the value of the field after it."""
    SIZE = auto()
    """Octets, with a unit such as `M`."""
    SIP_URI = auto()
    """A SIP URI, which may lack its scheme."""
    WHOLE = auto()
    """Any whole number."""
    WRITTEN_FILE = auto()
    """A file that is written."""


class Flag(NamedTuple):
    """True or false.

    Attributes:
        sets: the value of the field when the option is given.
    """

    sets: bool = True


class Count(NamedTuple):
    """A whole number within bounds, both included."""

    least: int
    most: int


class Number(NamedTuple):
    """A number within bounds.

    Attributes:
        least, most: the bounds, included.
        above: the least itself is not taken.
    """

    least: float
    most: float
    above: bool = False


class Seconds(NamedTuple):
    """A time.

    Attributes:
        least: seconds below which nothing can work, 0 is taken beside it.
        why: what would happen below.
        unit_needed: a number without unit is not taken.
    """

    least: float = 0.0
    why: str = ""
    unit_needed: bool = False


class OneOf(NamedTuple):
    """One of a few words."""

    words: tuple[str, ...]


class Digits(NamedTuple):
    """DTMF digits.

    Attributes:
        same: text that is taken as it is.
    """

    same: str = ""


class Media(NamedTuple):
    """Media that a call sends.

    Attributes:
        more: further words that are taken.
    """

    more: tuple[str, ...] = ()


CALLS: Final = Count(1, 10**12)
"""A number of calls."""
OPTION: Final = "option"
"""Key under which the metadata of a field have its `Option`."""


class Option(NamedTuple):
    """The way in which a user gives a field.

    Attributes:
        names: as on the command line.
        about: the sentence of `--help`.
        check: the kind of value, one of those above or a type of the command line's own.
        written: the default as a user would write it.
        by_cores: the default, from the number of cores.
        shown: the default as `--help` shows it; False = not at all.
        many: may be given again and again.
        optional: when it is not given, the field's own default holds, which is not shown.
    """

    names: tuple[str, ...]
    about: str
    check: object
    written: str | None = None
    by_cores: Callable[[int], int] | None = None
    shown: str | bool = True
    many: bool = False
    optional: bool = False


def option(
    default: T,
    *names: str,
    check: object,
    about: str,
    written: str | None = None,
    by_cores: Callable[[int], int] | None = None,
    shown: str | bool = True,
    many: bool = False,
    optional: bool = False,
    secret: bool = False,
) -> T:
    """Declare a field of a record that an option fills.

    The other arguments are those of `Option`.

    Args:
        default: of the field.
        secret: the field is never shown.
    """
    declared = Option(names, about, check, written, by_cores, shown, many, optional)
    return field(default=default, repr=not secret, metadata={OPTION: declared})
