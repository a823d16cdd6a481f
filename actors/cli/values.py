"""The kinds of values that options take, each read in one place, with errors that name the fix.

Each class reads one form of text; `type_of` finds the class for a kind of `config`. Some values may be read already,
such as a default; they pass as they are. An empty value is refused before it is read. A fault must become an error with
the fix, never an exception of a library.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
from click.core import ParameterSource

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.headers import key_of
from sipswarm.sipcore.message.parser import METHODS
from sipswarm.sipcore.message.uri import Uri, is_ipv6, parse_host_port

from .. import config
from ..config import Kind, Listener, checked_advertise, checked_rtp_ports, split_host_port
from ..errors import ConfigurationError
from ..handle.given_text import own_address
from ..handle.media_values import BY_NAME as CODEC_NAMES
from ..handle.media_values import SRTP_MODES, check_source, named_codecs, srtp_mode
from ..load.thresholds import Threshold

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)?", re.ASCII)
_SIZE: Final = re.compile(r"(\d{1,6})([MG])?", re.ASCII)
LEAST_SIZE: Final = 100 << 20
"""Octets."""
_RAMP: Final = re.compile(r"(\d{1,6}(?:\.\d{1,6})?):(\d{1,6}(?:\.\d{1,6})?)/(\S{1,20})", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9A-D*#?]{0,64}", re.ASCII)
_MEDIA: Final = re.compile(r"echo|silence|none|play:.+|tone(:\d{2,4})?", re.ASCII)
_HEADER_NAME: Final = re.compile(r"[0-9A-Za-z.!%*_+`'~-]{1,64}", re.ASCII)
OWN_HEADERS: Final = frozenset(
    {
        *("via", "from", "to", "call-id", "cseq", "max-forwards", "contact", "expires", "route", "record-route"),
        *("content-length", "content-type", "authorization", "proxy-authorization"),
    }
)
"""Headers that every call or registration writes itself, by `sipcore.message.headers.key_of`."""
REFUSABLE: Final = METHODS - {"ACK", "CANCEL"}
"""Methods that may be blocked: ACK gets no response, and CANCEL is answered with its INVITE (RFC 3261 9.2, 17)."""
NEED_LIBRARY: Final = ("g722", "opus")
"""Codecs that need the extra `audio`."""


class MetricsAddress(NamedTuple):
    """The address of /metrics."""

    host: str
    port: int
    given: bool
    """The user named it, so a busy port is an error; a default one gives way to the next free one."""


DEFAULT_METRICS: Final = MetricsAddress("127.0.0.1", 9464, given=False)
NO_METRICS: Final = MetricsAddress("", -1, given=True)


class Number(click.FloatRange):
    """A number within bounds; nan and the infinite are in no bounds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number.

        Raises:
            UsageError: it is none, or out of bounds.
        """
        number = float(super().convert(value, param, ctx))
        if not isfinite(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


class Duration(click.ParamType[float]):
    """Seconds from `5s`, `5000ms`, `2m` or `1h`; a bare number is seconds unless the unit is needed.

    Args:
        least: seconds below which nothing can work; 0 is taken beside it.
        why: what would happen, for the message.
    """

    name = "time"

    def __init__(self, *, unit_needed: bool = False, least: float = 0.0, why: str = "") -> None:
        self._unit_needed = unit_needed
        self._least = least
        self._why = why

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        if isinstance(value, int | float):
            return float(value)
        match = _DURATION.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is not a time; write for example 5s, 5000ms or 2m", param, ctx)
        number, unit = match.groups()
        if unit is None and self._unit_needed and float(number):
            doubt = "SIPp's -d means milliseconds, seconds are as likely meant; " if _is_pause(param) else ""
            self.fail(f"{value!r} has no unit: {doubt}write {number}s or {number}ms", param, ctx)
        seconds = float(number) * _UNITS[unit or "s"]
        if 0 < seconds < self._least:
            self.fail(f"{value!r} is too short: {self._why}; give {self._least:g}s or more, or 0 for never", param, ctx)
        return seconds


def _is_pause(param: click.Parameter | None) -> bool:
    """Whether an option is `-d`, which has another unit in SIPp."""
    return param is not None and "-d" in param.opts


class Size(click.ParamType[int]):
    """Octets from `512M` or `2G`, in powers of 1024; 0 is taken for none."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the octets."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(str(value))
        if match is None or (match[2] is None and int(match[1])):
            self.fail(f"{value!r} is not a size; write for example 512M or 2G, or 0 for none", param, ctx)
        octets = int(match[1]) << (30 if match[2] == "G" else 20)
        if 0 < octets < LEAST_SIZE:
            self.fail(
                f"{value!r} is too small: a process that has just started takes some 60 MiB; "
                f"give {LEAST_SIZE >> 20}M or more, or 0 for none",
                param,
                ctx,
            )
        return octets


class Ramp(click.ParamType[tuple[float, float, float]]):
    """`10:200/60s`: from 10 to 200 calls per second within 60 s.

    Args:
        zero: both rates may be 0, a pause.
    """

    name = "from:to/time"

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float, float]:
        """Return both rates and the seconds."""
        match = _RAMP.fullmatch(str(value))
        seconds = Duration(unit_needed=True).convert(match[3], param, ctx) if match else 0.0
        if match is None or not seconds or not (self._zero or float(match[1]) or float(match[2])):
            self.fail(f"{value!r} is not a ramp; write for example 10:200/60s", param, ctx)
        return float(match[1]), float(match[2]), seconds


class Block(click.ParamType[tuple[str, int]]):
    """A refusal as `INVITE=405`: a method and its status."""

    name = "method=code"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return method and status."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([A-Z]{1,20})=([3-6]\d\d)", str(value), re.ASCII)
        if match is None:
            self.fail(f"{value!r} is no method with a status from 300 to 699; write for example INVITE=405", param, ctx)
        if match[1] not in REFUSABLE:
            self.fail(f"{match[1]} is not one of {', '.join(sorted(REFUSABLE))}", param, ctx)
        return match[1], int(match[2])


class Filled(click.ParamType[str]):
    """Text on one line that is not blank."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as it was written."""
        text = str(value)
        if not text.strip() or not text.isprintable():
            self.fail(f"{value!r} names nothing; write a text, or leave the option out", param, ctx)
        return text


class Domain(click.ParamType[str]):
    """The domain of addresses: the name or address of a host."""

    name = "domain"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the host, an IPv6 address without brackets."""
        text = str(value)
        if is_ipv6(text):
            return text
        try:
            host, port = parse_host_port(text)
        except ParseError:
            host, port = "", None
        if not host or port is not None:
            self.fail(f"{value!r} is no domain; write it without sip: and port, for example example.org", param, ctx)
        return host


class Expires(click.ParamType[tuple[int, int, int]]):
    """The times of bindings as `60s:1h:2h`: the least, the default and the longest one."""

    name = "least:default:longest"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int, int]:
        """Return the three in seconds."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split(":")
        times = [round(Duration().convert(each, param, ctx)) for each in parts] if len(parts) == 3 else [0, 0, 0]
        least, usual, longest = times
        if not 0 < least <= usual <= longest:
            self.fail(f"{value!r} are no three times that rise; write for example 60s:1h:2h", param, ctx)
        return least, usual, longest


class PortRange(click.ParamType[tuple[int, int]]):
    """RTP ports as `20000-32766`: even numbers, the first and the last RTP port."""

    name = "low-high"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return the two ports."""
        match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", str(value), re.ASCII)
        try:
            return checked_rtp_ports((int(match[1]), int(match[2])) if match else ())
        except ConfigurationError:
            self.fail(
                f"{value!r} is not a range of even ports from 1024 to 65534; write for example 20000-32766", param, ctx
            )


class MetricsPlace(click.ParamType[MetricsAddress]):
    """`9464`, `127.0.0.1:9464`, `[::1]:9464` or `off`."""

    name = "[addr:]port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> MetricsAddress:
        """Return the address; port -1 = off."""
        if isinstance(value, MetricsAddress):
            return value
        text = str(value)
        if text == "off":
            return NO_METRICS
        try:
            host, port = split_host_port(f"127.0.0.1:{text}" if text.isdigit() else text, -1)
            ipaddress.ip_address(host)
        except (ConfigurationError, ValueError):
            port = -1
        if port < 0:
            self.fail(f"{value!r} is not [ADDR:]PORT; write for example 9464, 127.0.0.1:9464 or off", param, ctx)
        return MetricsAddress(host, port, given=True)


class ListenAddress(click.ParamType[Listener]):
    """`udp:127.0.0.1:5070`."""

    name = "transport:addr:port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Listener:
        """Return the listener."""
        try:
            return Listener.parse(str(value))
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


class AdvertisedAddress(click.ParamType[str]):
    """`203.0.113.5`."""

    name = "address"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address in its shortest form; whether a listener has its IP version is checked later."""
        try:
            return checked_advertise((str(value),), (Listener("udp", "127.0.0.1", 0), Listener("udp", "::1", 0)))[0]
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


class Condition(click.ParamType[Threshold]):
    """`answered>=0.99`."""

    name = "name>=number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Threshold:
        """Return the threshold; one of a scenario file must be resolved."""
        try:
            return Threshold.parse(str(value), of_file=True)
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


class Digits(click.ParamType[str]):
    """DTMF digits `0-9 A-D * #`; `?` stands for a random one in each call.

    Args:
        same: text that is taken as it is, such as `=` for "the same that were sent".
    """

    name = "digits"

    def __init__(self, *, same: str = "") -> None:
        self._same = same

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the digits, in upper case."""
        text = str(value).upper()
        if text == self._same:
            return text
        if self._same and "?" in text:
            self.fail(f"{value!r}: what is expected cannot be random; write {self._same} for the same", param, ctx)
        if not _DIGITS.fullmatch(text):
            self.fail(f"{value!r} are not at most 64 of the digits 0-9 A-D * #", param, ctx)
        return text


class Media(click.ParamType[str]):
    """Media that a call sends.

    Args:
        more: further words that are taken.
    """

    name = "media"

    def __init__(self, *more: str) -> None:
        self._more = more

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word as it was written."""
        text = str(value)
        if text not in self._more and not _MEDIA.fullmatch(text):
            words = ", ".join(("echo", "silence", "play:FILE", "tone:HZ", *self._more, "none"))
            self.fail(f"{value!r} is not one of {words}", param, ctx)
        return text


class Network(click.ParamType[str]):
    """A network as `192.0.2.0/24`."""

    name = "cidr"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the network as it was written."""
        try:
            ipaddress.ip_network(str(value), strict=False)
        except ValueError:
            self.fail(f"{value!r} is not a network; write for example 192.0.2.0/24 or 2001:db8::/32", param, ctx)
        return str(value)


class Shard(click.ParamType[tuple[int, int]]):
    """This node's share as `1/3`: the first of three."""

    name = "i/n"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return the shard, counted from 0, and the number of shards."""
        match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", str(value), re.ASCII)
        shard, shards = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= shard <= shards:
            self.fail(f"{value!r} is not a share such as 1/3, the first of three", param, ctx)
        return shard - 1, shards


class FilePath(click.Path):
    """A path of a file or folder that must be of some kind; an error has the fix with it.

    Args:
        fix: what to give instead.
        in_folder: its folder must be there and writable.
        more: as for `click.Path`.
    """

    def __init__(self, fix: str, *, in_folder: bool = False, **more: Any) -> None:
        super().__init__(path_type=Path, **more)
        self._fix = fix
        self._in_folder = in_folder

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path."""
        try:
            if self._in_folder:
                _OPEN_FOLDER.convert(Path(value).parent, param, ctx)
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message.rstrip('.')}; {self._fix}", param, ctx)


class AudioFile(FilePath):
    """A file to send; with `raw:` before its name its octets are the payload."""

    def __init__(self) -> None:
        super().__init__("give an audio file that you may read", exists=True, dir_okay=False)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path as it was written."""
        raw, name = str(value).startswith("raw:"), str(value).removeprefix("raw:")
        path = super().convert(name, param, ctx)
        return Path(f"raw:{os.fspath(path)!s}") if raw else path


_OPEN_FOLDER: Final = click.Path(exists=True, file_okay=False, writable=True, executable=True)


class SipUri(click.ParamType[str]):
    """A SIP URI; `sip:` may be left out."""

    name = "uri"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the URI, with its scheme."""
        text = str(value)
        if not text:
            return text
        full = text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}"
        try:
            Uri.parse(full)
        except ParseError as error:
            self.fail(f"{text!r}: {error.reason}; write for example sip:user@192.0.2.1:5060", param, ctx)
        return full


class OwnUri(SipUri):
    """The local URI: it needs a host, as for `UserAgent(from_=…)`."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the URI, with its scheme."""
        text = str(value)
        try:
            if text:
                own_address("", text)
        except ConfigurationError as error:
            self.fail(str(error).strip(), param, ctx)
        return super().convert(value, param, ctx)


class Header(click.ParamType[tuple[str, str]]):
    """A header as `Name: value`, of those that a call does not write itself."""

    name = "'name: value'"
    envvar_list_splitter = "\n"  # a value holds blanks

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return name and value."""
        if isinstance(value, tuple):
            return value
        name, colon, rest = str(value).partition(":")
        name, text = name.strip(), rest.strip()
        if not colon or not _HEADER_NAME.fullmatch(name) or not text or not text.isprintable():
            self.fail(f"{value!r} is not a header on one line; write for example 'X-Test: 1'", param, ctx)
        if key_of(name) in OWN_HEADERS:
            self.fail(f"{name} is a header that every call writes itself; choose another one", param, ctx)
        return name, text


class Codecs(click.ParamType[tuple[str, ...]]):
    """Names of codecs in the order of preference: `pcma,pcmu`."""

    name = "names"

    @staticmethod
    def known() -> tuple[str, ...]:
        """Return the names."""
        return tuple(CODEC_NAMES)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the names, in small letters."""
        if isinstance(value, tuple):
            return value
        names = tuple(each.strip().lower() for each in str(value).split(","))
        try:
            named_codecs(names)
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)
        needing = [name for name in names if name in NEED_LIBRARY]
        if needing and find_spec("av") is None:
            self.fail(f"{needing[0]} needs PyAV, which is not installed; pip install 'sipswarm[audio]'", param, ctx)
        return names


def check_audio(media: str, codecs: Sequence[str] = ()) -> None:
    """See that the file of `play:FILE` can be sent, and a tone in each of the codecs; any other media can.

    Args:
        media: as on the command line.
        codecs: their names.

    Raises:
        ConfigurationError: the file cannot be read, is no audio, or is too short or long; with the reason and the fix.
            Or the tone is too high.
    """
    kind, _, file = media.partition(":")
    if kind == "tone" and file:
        check_source(("tone", int(file)), named_codecs(codecs))
    if kind != "play":
        return
    from sipswarm.media.refusal import Refusal
    from sipswarm.media.sources import (  # only here: most runs need no numpy in this process
        FileFrames,
        Format,
        SourceError,
    )

    try:
        FileFrames(most=0).frames(file, Format("PCMU", 8000, 160, 160))
    except SourceError as error:
        fix = "; give an audio file that you may read" if error.cause is Refusal.NO_FILE else ""
        raise ConfigurationError(error.detail + fix) from error


class Encryption(click.Choice[str]):
    """The modes of media encryption."""

    def __init__(self) -> None:
        super().__init__(SRTP_MODES)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word.

        Raises:
            ConfigurationError: the library that it needs is not installed.
        """
        return srtp_mode(super().convert(value, param, ctx))


_SIMPLE: Final[dict[Kind, click.ParamType[Any]]] = {
    Kind.TEXT: click.STRING,
    Kind.ADVERTISED: AdvertisedAddress(),
    Kind.BLOCK: Block(),
    Kind.CODECS: Codecs(),
    Kind.DOMAIN: Domain(),
    Kind.ENCRYPTION: Encryption(),
    Kind.EXPIRES: Expires(),
    Kind.FILLED: Filled(),
    Kind.HEADER: Header(),
    Kind.NETWORK: Network(),
    Kind.OWN_URI: OwnUri(),
    Kind.PAIR: click.Tuple([str, str]),
    Kind.PASSWORD_FILE: FilePath("give a file that you may read", exists=True, dir_okay=False),
    Kind.PEM: click.Path(dir_okay=False),
    Kind.PORT_RANGE: PortRange(),
    Kind.RAMP: Ramp(),
    Kind.SHARE: Shard(),
    Kind.SIZE: Size(),
    Kind.SIP_URI: SipUri(),
    Kind.WHOLE: click.INT,
    Kind.WRITTEN_FILE: click.Path(dir_okay=False, resolve_path=False),
}


def type_of(check: object) -> click.ParamType[Any] | None:
    """Return the reader of the values of an option of this kind; None for one that has no value."""
    match check:
        case click.ParamType():
            return check
        case Kind():
            return _SIMPLE[check]
        case config.Count(least, most):
            return click.IntRange(least, most)
        case config.Number(least, most, above):
            return Number(least, most, min_open=above)
        case config.Seconds(least, why, unit_needed):
            return Duration(least=least, why=why, unit_needed=unit_needed)
        case config.OneOf(words):
            return click.Choice(words)
        case config.Digits(same):
            return Digits(same=same)
        case config.Media(more):
            return Media(*more)
        case config.Flag():
            return None
    raise TypeError(f"{check!r} is no kind of value")


MAY_BE_EMPTY: Final = frozenset(("-key", "-set"))
"""Options of a name and a text; the text may be empty, the name not."""


class _Filled(click.Parameter):
    """A parameter that takes no empty value, which is most often a variable of a shell script that is not set.

    As a value it would switch off what the parameter is for, such as an expectation. A variable `SIPSWARM_…` that is
    empty counts as not set.
    """

    def consume_value(self, ctx: click.Context, opts: Any) -> tuple[Any, ParameterSource]:
        """Return the value as it was written, and where.

        Raises:
            click.BadParameter: it is empty, or only blanks.
        """
        value, source = super().consume_value(ctx, opts)
        defaults = (ParameterSource.DEFAULT, ParameterSource.PROMPT)
        if source not in defaults and _has_empty(value, pairs=not MAY_BE_EMPTY.isdisjoint(self.opts)):
            raise click.BadParameter("it is empty; give a value, or leave it out", ctx, self)
        return value, source


class FilledOption(_Filled, click.Option):
    """An option that takes no empty value."""


class FilledArgument(_Filled, click.Argument):
    """An argument that takes no empty value."""


def _has_empty(value: Any, *, pairs: bool) -> bool:
    """Whether a value, or one of several, is empty or only blanks.

    Args:
        pairs: each of them is a name and a text, of which only the name counts.
    """
    if isinstance(value, str):
        return not value.strip()
    if not isinstance(value, tuple | list):
        return False
    if pairs:
        return any(_has_empty(each[:1] or "", pairs=False) for each in value)
    return any(_has_empty(each, pairs=False) for each in value)


filled_option: Final[Callable[..., Callable[..., Any]]] = partial(click.option, cls=FilledOption)
"""As `click.option`; every option of every verb that has a value is made by it."""
filled_argument: Final[Callable[..., Callable[..., Any]]] = partial(click.argument, cls=FilledArgument)
"""As `click.argument`."""
