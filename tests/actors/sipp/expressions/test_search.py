"""Where `ereg` looks: message, header, body; and what becomes of groups."""

import pytest

from sipswarm.actors.sipp.expressions.search import Expression, body_of, header_of

MESSAGE = (
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=1\r\nvia: SIP/2.0/UDP b;branch=2\r\nX-To: x\r\n"
    "To: <sip:bob@b>;tag=7\r\n\r\nv=0\r\n\r\nTo: body\r\n"
)


@pytest.mark.parametrize(
    ("header", "options", "found"),
    [
        ("Via:", {}, " SIP/2.0/UDP a;branch=1"),
        ("Via:", {"occurrence": 2}, None),
        ("Via:", {"occurrence": 2, "ignore_case": True}, " SIP/2.0/UDP b;branch=2"),
        ("To:", {}, " x"),
        ("To:", {"line_start": True}, " <sip:bob@b>;tag=7"),
        ("To:", {"line_start": True, "occurrence": 2}, " body"),
        ("SIP/2.0", {"line_start": True}, " 200 OK"),
        ("branch=", {"occurrence": 2}, "2"),
        ("From:", {}, None),
    ],
)
def test_a_header_is_the_rest_of_its_line(header: str, options: dict[str, int], found: str | None) -> None:
    assert header_of(MESSAGE, header, **options) == found  # type: ignore[arg-type]


def test_a_body_is_what_is_behind_the_first_empty_line() -> None:
    assert body_of(MESSAGE) == "v=0\r\n\r\nTo: body\r\n"
    assert body_of("OPTIONS sip:a SIP/2.0\r\nTo: b\r\n\r\n") == ""


def test_groups_become_text_and_one_without_a_part_is_none() -> None:
    assert Expression("(z)|tag=(.)").matches(MESSAGE) == ("tag=7", None, "7")
    assert Expression("tag=8").matches(MESSAGE) == ()
    assert Expression("tag=.").whole_match(MESSAGE) == "tag=7"
    assert Expression("tag=8").whole_match(MESSAGE) is None
    assert Expression("^SIP/2.0 2..").found_in(MESSAGE)


def test_nine_groups_are_kept() -> None:
    assert len(Expression("(.)" * 12).matches(MESSAGE)) == 10
