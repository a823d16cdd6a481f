"""Expressions against POSIX: rows, a naive matcher of leftmost and longest, and the C library that SIPp calls."""

import re
from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sipswarm.actors.sipp.expressions.automaton import MOST_NODES
from sipswarm.actors.sipp.expressions.matcher import NO_SPAN, Matcher
from sipswarm.actors.sipp.expressions.syntax import (
    Anchor,
    Either,
    Group,
    Octet,
    PatternError,
    Place,
    Repeat,
    Row,
    Tree,
    parse,
)

from .posix import IS_GLIBC, NotAPattern, spans

needs_glibc = pytest.mark.skipif(not IS_GLIBC, reason="regexec of glibc is the judge")


def texts(pattern: str, subject: str) -> list[str | None] | None:
    found = Matcher(pattern).match(subject)
    return None if found is None else [None if span == NO_SPAN else subject[slice(*span)] for span in found]


@pytest.mark.parametrize(
    ("pattern", "subject", "found"),
    [
        ("abc|abc123", "abc123def", ["abc123"]),
        ("a*(ab)?", "aab", ["aab", "ab"]),
        ("(|a)b", "ab", ["ab", "a"]),
        ("x*", "axx", [""]),
        ("[[:alpha:]]+", "12ab_", ["ab"]),
        ("([[:alnum:]]+)@([^>;]*)", "To: <sip:bob@example.com;a>", ["bob@example.com", "bob", "example.com"]),
        ("([0-9]{1,3}\\.){3}[0-9]{1,3}", "c=IN IP4 192.168.7.12\r\n", ["192.168.7.12", "7."]),
        ("[]a]+", "x]a]", ["]a]"]),
        ("[^]]+", "]ab]", ["ab"]),
        ("[\\.]+", "a\\.b", ["\\."]),
        ("[a-]+", "b-a-c", ["-a-"]),
        ("a.c", "a\r\na\nc", ["a\nc"]),
        ("^b", "a\nb", None),
        ("a$", "a\nb", None),
        ("b$", "a\nb", ["b"]),
        ("a)", "a)", ["a)"]),
        ("()", "a", ["", ""]),
        ("(a)|b", "b", ["b", None]),
        ("(a|(b))*", "ba", ["ba", "a", "b"]),
        ("(a*)*", "b", ["", ""]),
        ("(a*)+", "aa", ["aa", "aa"]),
        ("a{2}", "aaa", ["aa"]),
        ("a{,2}b", "aaab", ["aab"]),
        ("a{2,}", "aaaa", ["aaaa"]),
        ("a{,}", "aaaa", ["aaaa"]),
        ("\\<b\\w+\\>", "ab bc!", ["bc"]),
        ("\\bx\\B", "x xy", ["x"]),
        ("\\(\\*\\)", "(*)", ["(*)"]),
        ("é", "caf\xc3\xa9 \xe9", ["\xe9"]),
        ("(a|ab)(c|bcd)", "abcd", ["abcd", "a", "bcd"]),
    ],
)
def test_what_an_expression_matches(pattern: str, subject: str, found: list[str | None] | None) -> None:
    assert texts(pattern, subject) == found
    if IS_GLIBC:
        judged = spans(pattern, subject, Matcher(pattern).groups)
        assert Matcher(pattern).match(subject) == judged


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("*a", r"'\*' at position 1 repeats nothing"),
        ("a|+", r"'\+' at position 3 repeats nothing"),
        ("(?:a)", r"'\?' at position 2 repeats nothing"),
        ("^*", r"'\*' at position 2 repeats nothing"),
        ("{", "'{' at position 1 repeats nothing"),
        ("(a", "the parenthesis at position 1 is not closed"),
        ("[a", "the bracket at position 1 is not closed"),
        ("[[:alpha:]", "the bracket at position 1 is not closed"),
        ("[[:alpha]", r"\[: in the bracket at position 1 is not closed"),
        ("[[:letter:]]", r"there is no class \[:letter:\]; there are alnum, "),
        ("[b-a]", "a range in the bracket at position 1 ends before it begins"),
        ("[a-c-e]", "'-' in the bracket at position 1 is no range"),
        ("[[:digit:]-z]", "a range in the bracket at position 1 .* has a class"),
        ("a{2,1}", r"the interval \{2,1\} ends before it begins"),
        ("a{}", "the interval at position 2 is not of the form"),
        ("a{x}", "the interval at position 2 is not of the form"),
        ("a{1", "the interval at position 2 is not of the form"),
        ("a{99999}", r"the interval \{99999\}"),
        ("a\\", "a backslash at the end"),
    ],
)
def test_a_pattern_that_is_none_is_refused_with_its_place(pattern: str, said: str) -> None:
    with pytest.raises(PatternError, match=said):
        Matcher(pattern)
    if IS_GLIBC:
        with pytest.raises(NotAPattern):
            spans(pattern, "", 0)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(a)\\1", r"\\1 is a back reference"),
        ("a{2000}", f"more than {MOST_NODES} states"),
        ("((a{50}){50}){50}", f"more than {MOST_NODES} states"),
        ("(" * 60 + ")" * 60, "more than 50 parentheses"),
        ("a" * 5000, "more than 4096 characters"),
        ("\u20ac", "characters that are no octets"),
    ],
)
def test_what_has_no_bound_in_time_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(PatternError, match=said):
        Matcher(pattern)


def test_what_perl_means_otherwise_is_remarked() -> None:
    assert Matcher("\\d+").remarks == ("\\d is the letter d in POSIX expressions; write [0-9]",)
    assert texts("\\d", "1d") == ["d"]
    assert Matcher("[0-9]").remarks == ()


def test_a_subject_ends_at_its_first_nul() -> None:
    assert texts("a.*", "ba\x00a") == ["a"]
    assert texts("b$", "ab\x00c") == ["b"]


@pytest.mark.parametrize(
    ("pattern", "subject"),
    [
        ("(a*)*b", "a" * 20_000),
        ("(a|aa)*c", "a" * 20_000),
        ("a*a*a*a*b", "a" * 20_000),
        ("[ab]*x", "ab" * 10_000),
        ("(.*)(.*)(.*)=", "a" * 20_000),
        ("\\bab*c", "a " * 10_000),
    ],
)
def test_a_search_reads_a_subject_a_bounded_number_of_times(pattern: str, subject: str) -> None:
    searched = Matcher(pattern)
    assert searched.search(subject) is None
    assert 0 < searched.characters_read <= 6 * len(subject) + 6


def test_a_match_far_behind_is_found_after_many_vain_beginnings() -> None:
    subject = "a" * 3000 + "xb"
    assert Matcher("a*xb").search(subject) == (0, 3002)
    assert Matcher("a[^x]*c|xb").search(subject) == (3000, 3002)
    assert Matcher("(a*a*a*c)|(x)b").match(subject) == ((3000, 3002), NO_SPAN, (3000, 3001))


def test_sets_that_were_dropped_are_computed_anew() -> None:
    pattern, subject = "(a|b)*a(a|b){3}(c)", "abbabababbaaabbbc"
    found = Matcher(pattern, most_states=3).match(subject)
    assert found == Matcher(pattern).match(subject)
    assert found is not None
    assert found[0] == (0, len(subject))


# Judges


def ends(tree: Tree, subject: str, start: int) -> frozenset[int]:
    """Where a tree can end that begins at a place, by the definition: all combinations."""

    @cache
    def of(each: Tree, at: int) -> frozenset[int]:
        match each:
            case Octet(octets):
                return frozenset((at + 1,)) if at < len(subject) and ord(subject[at]) in octets else frozenset()
            case Place(anchor):
                holds = {Anchor.START: at == 0, Anchor.END: at == len(subject)}[anchor]
                return frozenset((at,)) if holds else frozenset()
            case Row(items):
                places = frozenset((at,))
                for item in items:
                    places = frozenset(end for place in places for end in of(item, place))
                return places
            case Either(left, right):
                return of(left, at) | of(right, at)
            case Group(body, _):
                return of(body, at)
            case Repeat(body, least, most):
                places = frozenset((at,))
                for _ in range(least):
                    places = frozenset(end for place in places for end in of(body, place))
                found = places
                for _ in range(len(subject) + 1 if most is None else most - least):
                    places = frozenset(end for place in places for end in of(body, place))
                    found |= places
                return found

    return of(tree, start)


def can_be_empty(tree: Tree) -> bool:
    return 0 in ends(tree, "", 0)


def repeats_nothing(tree: Tree) -> bool:
    """Whether a part that can be empty is repeated without a bound."""
    match tree:
        case Row(items):
            return any(repeats_nothing(item) for item in items)
        case Either(left, right):
            return repeats_nothing(left) or repeats_nothing(right)
        case Group(body, _):
            return repeats_nothing(body)
        case Repeat(body, _, most):
            return (most is None and can_be_empty(body)) or repeats_nothing(body)
        case _:
            return False


def leftmost_longest(pattern: str, subject: str) -> tuple[int, int] | None:
    tree = parse(pattern).tree
    for start in range(len(subject) + 1):
        found = ends(tree, subject, start)
        if found:
            return start, max(found)
    return None


ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", "[[:alpha:]]", "\\.", "1", "()"])
REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,2}", "{1,}", "{,1}"])


def patterns(anchors: bool) -> st.SearchStrategy[str]:
    """Patterns of POSIX; with anchors at their begin and end only, as people write them."""

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        repeated = st.builds(lambda body, times: f"({body}){times}", inner, REPEATS)
        return st.one_of(
            repeated,
            st.lists(inner, min_size=1, max_size=3).map("".join),
            st.lists(inner, min_size=2, max_size=3).map("|".join).map(lambda text: f"({text})"),
            st.builds(lambda body: f"({body}|)", inner),
        )

    simple = st.builds(lambda atom, times: f"{atom}{times}", ATOMS, REPEATS)
    inside = st.recursive(simple, larger, max_leaves=6)
    whole = st.one_of(inside, st.builds(lambda left, right: f"{left}|{right}", inside, inside))
    if not anchors:
        return whole
    ends = (st.sampled_from(["", "^"]), st.sampled_from(["", "$"]))
    return st.builds(lambda begin, text, end: f"{begin}({text}){end}", ends[0], whole, ends[1])


SUBJECTS = st.text(st.sampled_from("abc1."), max_size=9)


@settings(max_examples=300, deadline=None)
@given(patterns(anchors=True), SUBJECTS)
def test_a_match_is_the_leftmost_and_longest(pattern: str, subject: str) -> None:
    assert Matcher(pattern).search(subject) == leftmost_longest(pattern, subject)


@settings(max_examples=300, deadline=None)
@given(patterns(anchors=True), SUBJECTS)
def test_the_run_backwards_finds_the_same(pattern: str, subject: str) -> None:
    searched = Matcher(pattern)
    assert searched._find_backwards(searched._encoded(subject), 0) == leftmost_longest(pattern, subject)


@needs_glibc
@settings(max_examples=500, deadline=None)
@given(patterns(anchors=True), SUBJECTS)
def test_a_match_and_its_groups_are_those_of_the_c_library(pattern: str, subject: str) -> None:
    syntax = parse(pattern)
    assume(not repeats_nothing(syntax.tree))  # with some of them regexec of glibc 2.36 does not end
    groups = min(9, syntax.groups)
    found = Matcher(pattern).match(subject)
    assert (found and found[: groups + 1]) == spans(pattern, subject, groups)


@needs_glibc
@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab()[]{}|*+?^$.\\,:-12=w<"), max_size=10), SUBJECTS)
def test_what_is_refused_is_what_the_c_library_refuses(pattern: str, subject: str) -> None:
    assume(not re.search(r"\\[1-9]", pattern))  # back references
    try:
        judged = spans(pattern, subject, 0)
    except NotAPattern:
        with pytest.raises(PatternError):
            Matcher(pattern)
    else:
        assert Matcher(pattern).search(subject) == (judged and judged[0])
