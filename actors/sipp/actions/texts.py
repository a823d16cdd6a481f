"""Actions on texts: `ereg`, `assignstr`, `strcmp`, `trim`, `urlencode`, `urldecode`, `verifyauth`."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from ..authentication import is_authorized
from ..expressions.search import MOST_GROUPS, Expression, SearchIn, body_of, header_of
from ..expressions.syntax import PatternError
from ..markup import excerpt
from ..template import Template
from .action import Action, Nothing, Scene
from .given import Given
from .results import CheckFailure, Failed

_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_SPACE: Final = " \t\n\v\f\r"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ereg:
    """`ereg`: search an expression, keep what it matches, and check that it does or does not.

    A variable without a match, or whose group has no part in it, stays as it is.
    """

    expression: Expression
    search_in: SearchIn
    header: str
    variable: str
    occurrence: int
    ignore_case: bool
    line_start: bool
    check: bool
    check_inverse: bool
    assign_to: tuple[str, ...]

    def run(self, scene: Scene) -> Failed | None:
        """Search; see `Action`."""
        text = self._place(scene)
        if self.check and not text and self.search_in is SearchIn.HEADER:
            return Failed(CheckFailure.HEADER_MISSING, f"there is no {self.header!r} in the message")
        found = self._search(scene, text)
        if self.check and not found:
            return Failed(CheckFailure.REGEXP, f"{self.expression.pattern!r} does not match {excerpt(text)!r}")
        if self.check_inverse and found:
            return Failed(CheckFailure.REGEXP_MATCHED, f"{self.expression.pattern!r} matches in {excerpt(text)!r}")
        return None

    def _search(self, scene: Scene, text: str) -> bool:
        if not self.assign_to:
            return self.expression.found_in(text)
        if len(self.assign_to) == 1:
            whole = self.expression.whole_match(text)
            matches: tuple[str | None, ...] = () if whole is None else (whole,)
        else:
            matches = self.expression.matches(text)
        for name, match in zip(self.assign_to, matches, strict=False):
            if match is not None:
                scene.variables[name] = match
        return bool(matches)

    def _place(self, scene: Scene) -> str:
        match self.search_in:
            case SearchIn.MESSAGE:
                return scene.message
            case SearchIn.BODY:
                return body_of(scene.message)
            case SearchIn.VARIABLE:
                value = scene.variables[self.variable]
                return value if isinstance(value, str) else ""
            case SearchIn.HEADER:
                found = header_of(
                    scene.message,
                    self.header,
                    occurrence=self.occurrence,
                    ignore_case=self.ignore_case,
                    line_start=self.line_start,
                )
                return found or ""


def ereg(given: Given) -> Action:
    """Read `ereg`."""
    attributes = given.attributes
    search_in = SearchIn(given.one_of("search_in", tuple([each.value for each in SearchIn]), "msg"))
    check, inverse = given.checks()
    assign_to = attributes.names("assign_to") if given.has("assign_to") else ()
    if not (assign_to or check or inverse):
        attributes.fault('<ereg> does nothing with what it finds; write assign_to="…" or check_it="true"')
    occurrence = attributes.integer("occurrence") if given.has("occurrence") else attributes.integer("occurence")
    if occurrence < 0:
        attributes.fault("occurrence is below 0; write 1 for the first")
    try:
        expression = Expression(attributes.text("regexp") if given.has("regexp") else attributes.needed("regexp"))
    except PatternError as error:
        attributes.fault(f'regexp="{excerpt(attributes.text("regexp"))}": {error}')
        return Nothing()
    for remark in expression.remarks:
        attributes.tolerate(f'regexp="{excerpt(expression.pattern)}"', remark)
    if len(assign_to) > 1 + MOST_GROUPS:
        attributes.fault(f"assign_to has {len(assign_to)} variables; write at most {1 + MOST_GROUPS}")
    elif len(assign_to) > 1 + expression.groups:
        attributes.tolerate(
            f"{len(assign_to)} variables in assign_to for {expression.groups} pairs of parentheses",
            "the last ones are never set: the first variable is the whole match, and one follows for each pair",
        )
    return Ereg(
        expression=expression,
        search_in=search_in,
        header=attributes.needed("header") if search_in is SearchIn.HEADER else "",
        variable=given.variable("variable") if search_in is SearchIn.VARIABLE else "",
        occurrence=max(1, occurrence),
        ignore_case=attributes.boolean("case_indep"),
        line_start=attributes.boolean("start_line"),
        check=check,
        check_inverse=inverse,
        assign_to=assign_to,
    )


@dataclass(frozen=True, slots=True)
class AssignText:
    """`assignstr`: a text with its keywords filled in."""

    assign_to: str
    value: Template

    def run(self, scene: Scene) -> None:
        """Set the variable; see `Action`."""
        scene.variables[self.assign_to] = scene.render(self.value)


def assignstr(given: Given) -> Action:
    """Read `assignstr`."""
    return AssignText(given.variable("assign_to"), given.text("value"))


@dataclass(frozen=True, slots=True)
class Convert:
    """`trim`, `urlencode`, `urldecode`: change the text of a variable."""

    variable: str
    conversion: Callable[[str], str]

    def run(self, scene: Scene) -> None:
        """Change the variable; see `Action`."""
        scene.variables[self.variable] = self.conversion(scene.variables.text(self.variable))


def trim(given: Given) -> Action:
    """Read `trim`."""
    return Convert(given.variable("assign_to"), trimmed)


def urlencode(given: Given) -> Action:
    """Read `urlencode`."""
    return Convert(given.variable("variable"), url_encoded)


def urldecode(given: Given) -> Action:
    """Read `urldecode`."""
    return Convert(given.variable("variable"), url_decoded)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareTexts:
    """`strcmp`: the difference of two texts, as `strcmp` of C has it."""

    assign_to: str
    """Empty = it is kept nowhere."""
    variable: str
    other: str
    """Variable to compare with; empty = `value`."""
    value: str
    """No keywords are filled in, as in SIPp."""
    check: bool
    check_inverse: bool

    def run(self, scene: Scene) -> Failed | None:
        """Compare, and keep the result unless the check has failed; see `Action`."""
        left = scene.variables.text(self.variable)
        right = scene.variables.text(self.other) if self.other else self.value
        if self.check and left != right:
            return Failed(CheckFailure.STRCMP, f"{self.variable} is {excerpt(left)!r}, not {excerpt(right)!r}")
        if self.check_inverse and left == right:
            return Failed(CheckFailure.STRCMP_EQUAL, f"{self.variable} is {excerpt(left)!r}")
        if self.assign_to:
            scene.variables[self.assign_to] = float(difference(left, right))
        return None


def strcmp(given: Given) -> Action:
    """Read `strcmp`."""
    if given.exactly_one("value", "variable2") == "value" and "[" in given.attributes.text("value"):
        given.attributes.tolerate(
            f'value="{excerpt(given.attributes.text("value"))}" of <strcmp>',
            "text as it stands, as in SIPp: keywords are filled in by assignstr only",
        )
    check, inverse = given.checks()
    return CompareTexts(
        assign_to=given.optional_variable("assign_to"),
        variable=given.variable("variable"),
        other=given.optional_variable("variable2"),
        value=given.attributes.text("value"),
        check=check,
        check_inverse=inverse,
    )


@dataclass(frozen=True, slots=True)
class VerifyAuth:
    """`verifyauth`: whether the credentials of the last message are those of a user."""

    assign_to: str
    username: Template
    password: Template

    def run(self, scene: Scene) -> None:
        """Set the variable; see `Action`."""
        username, password = scene.render(self.username), scene.render(self.password)
        scene.variables[self.assign_to] = is_authorized(scene.message, username, password)


def verifyauth(given: Given) -> Action:
    """Read `verifyauth`."""
    return VerifyAuth(given.variable("assign_to"), given.text("username"), given.text("password"))


def difference(left: str, right: str) -> int:
    """Return 0 for equal texts, else the difference of the first octets that differ; the end of a text counts as 0."""
    for one, other in zip_longest(left, right, fillvalue="\0"):
        if one != other:
            return ord(one) - ord(other)
    return 0


def trimmed(text: str) -> str:
    """Return a text without white space at its ends."""
    return text.strip(_SPACE)


def url_encoded(text: str) -> str:
    """Return a text with `%XX` for each octet but letters, digits and `-_.~` (RFC 3986 section 2.3)."""
    return "".join([chr(octet) if octet in _UNRESERVED else f"%{octet:02X}" for octet in text.encode("latin-1")])


def url_decoded(text: str) -> str:
    """Return a text with an octet for each `%XX`; a `%` before anything else stays."""
    first, *rest = text.split("%")
    parts = [first]
    for each in rest:
        digits = each[:2]
        hexadecimal = len(digits) == 2 and _HEX.issuperset(digits)
        parts.append(chr(int(digits, 16)) + each[2:] if hexadecimal else f"%{each}")
    return "".join(parts)
