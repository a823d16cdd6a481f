"""The text of a CDATA section as parts: trimming, keywords with offsets and parameters, and what is no keyword."""

import pytest

from sipswarm.actors.sipp.findings import Findings
from sipswarm.actors.sipp.keywords import NUMBERS, TEXTS, KeywordReader, trimmed
from sipswarm.actors.sipp.parameters import parameter
from sipswarm.actors.sipp.template import (
    Authentication,
    Branch,
    Field,
    File,
    Fill,
    LastHeader,
    Length,
    Number,
    Part,
    Template,
    Value,
    Variable,
)


def reader(**keys: str) -> KeywordReader:
    return KeywordReader(keys, Findings())


def parts(text: str, **keys: str) -> tuple[Part, ...]:
    keywords = reader(**keys)
    found = keywords.text(text, 1).parts
    assert keywords.findings.faults == []
    return found


def plain(*texts: str) -> Template:
    return Template(texts, 1)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("\n\n  A sip:b SIP/2.0\n\t X: 1 \t\n  Y: 2\n\n\n", "A sip:b SIP/2.0\n X: 1 \nY: 2\n\n"),
        ("\n \tA\n    \tX: 1\t \n\tY: 2", "A\nX: 1\nY: 2\n\n"),
        ("A\n\n  v=0\n   s=-\n\n\n\n  ", "A\n\nv=0\ns=-\n"),
        ("A\n\nv=0\ns=-", "A\n\nv=0\ns=-"),
        ("A\n   \nv=0\n", "A\n\nv=0\n"),
    ],
)
def test_a_message_is_trimmed_as_sipp_trims_it(text: str, whole: str) -> None:
    assert trimmed(text, is_message=True) == whole


def test_a_command_has_no_line_end_behind_its_body() -> None:
    assert trimmed("Call-ID: 1\n\nx\n\n", is_message=False) == "Call-ID: 1\n\nx"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb\r\nc", ("a\r\nb\r\r\nc",)),
        (r"\x5b\x5D\x41\x0a", ("[]A\n",)),
        (r"\x4g \xgC", ("\x04g \\xgC",)),
        ("[call_id]", (Value("call_id"),)),
        ("<[routes]>", ("<", Value("routes", True), ">")),
        ("[cseq+12][remote_port-3]", (Number("cseq", 12), Number("remote_port", -3))),
        ("[branch][branch-4]", (Branch(0), Branch(-4))),
        ("[len]", (Length(0),)),
        ("[len+3] [len]", ("      ", Length(0))),
        ("[[local_ip]]:1", ("[", Value("local_ip"), "]:1")),
        ("[a [b [pid]", ("[a [b ", Value("pid"))),
        ("[last_Via:][last_P-Asserted-Identity:][last_From]", (
            LastHeader("Via", False), LastHeader("P-Asserted-Identity", False), LastHeader("From", False),
        )),
        ("[last_To.value]", (LastHeader("To", True),)),
        ("[last_Request_URI][last_cseq_number-1][last_message]", (
            Value("last_Request_URI"), Number("last_cseq_number", -1), Value("last_message"),
        )),
        ("[$1][$a b]", (Variable("1"), Variable("a b"))),
        ('[field0][field12 file="a b.csv" line=[$n]]', (
            Field(0, "", None), Field(12, "a b.csv", Template((Variable("n"),), 1)),
        )),
        ('[field1 file=u.csv line="[$n]"]', (Field(1, "u.csv", Template((Variable("n"),), 1)),)),
        ("[file name=x.bin]", (File(plain("x.bin")),)),
        ("[fill variable=7]", (Fill("X", "7"),)),
        ('[fill text="ab" variable=n]', (Fill("ab", "n"),)),
        ("[authentication]", (Authentication(*[Template((), 1)] * 5),)),
        ("[authentication username=joe password=schmo]", (
            Authentication(plain("joe"), plain("schmo"), *[Template((), 1)] * 3),
        )),
        ('[authentication username="[field0]" password="a b"]', (
            Authentication(Template((Field(0, "", None),), 1), plain("a b"), *[Template((), 1)] * 3),
        )),
        ("[authentication username=u aka_OP=0xCDC2 aka_K=0x41 aka_AMF=0x00b9]", (
            Authentication(plain("u"), Template((), 1), plain("A"), plain("\xcd\xc2"), plain("\x00\xb9")),
        )),
    ],
)  # fmt: skip
def test_text_and_keywords_become_parts(text: str, expected: tuple[Part, ...]) -> None:
    assert parts(text) == expected


@pytest.mark.parametrize("name", sorted(TEXTS | NUMBERS))
def test_every_keyword_is_noted_once_with_its_first_line(name: str) -> None:
    keywords = reader()
    keywords.text(f"\n[{name}]\n[{name}]", 7)
    assert keywords.findings.uses == {"keywords": {name: 8}}
    assert keywords.findings.faults == []


def test_a_key_of_the_command_line_becomes_text() -> None:
    keywords = reader(tenant="blue")
    assert keywords.text("a[tenant]b", 3).parts == ("abluebb"[:-1],)
    assert keywords.findings.uses == {"keys": {"tenant": 3}}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("\n[tenant]", "2: [tenant] is no keyword; write -key tenant VALUE, or \\x5b for a [ that is text"),
        ("[]", "1: [] is no keyword; write \\x5b for a [ that is text"),
        ("[call_id", "1: [call_id is no keyword; write \\x5b for a [ that is text"),
        ("[call\n_id]", "1: [call _id] is no keyword; write \\x5b for a [ that is text"),
        (f"[{'a' * 300}]", f"1: [{'a' * 29} is no keyword; write \\x5b for a [ that is text"),
        ("[tdmmap]", "1: [tdmmap] is not supported yet"),
        ("[cryptotag1audio]", "1: [cryptotag1audio] is not supported yet"),
        ("[cryptokeyparams2video]", "1: [cryptokeyparams2video] is not supported yet"),
        ("[rtpstream_video_port]", "1: [rtpstream_video_port] is not supported yet"),
        ("[file]", "1: [file] names no file; write [file name=FILE]"),
        ("[fill]", "1: [fill] names no variable; write [fill variable=NAME]"),
        ("[$]", "1: '' is no name of a variable; write one without $ and comma"),
        ("[last_]", "1: [last_] is no keyword; write -key last_ VALUE, or \\x5b for a [ that is text"),
    ],
)
def test_what_is_no_keyword_is_a_fault_with_its_line(text: str, fault: str) -> None:
    keywords = reader()
    keywords.text(text, 1)
    assert [f"{each.line}: {each.text}" for each in keywords.findings.faults] == [fault]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[call_id+1]", ("the offset of [call_id+1]", "nothing: [call_id]")),
        ("[field]", ("[field] without a number", "[field0]")),
        (r"a\x5zb", (r"\x5z without two digits", "SIPp 3.7 takes it; 3.6 loses a character")),
        (r"a\xgb", (r"\xgb without two digits", "SIPp 3.7 takes it; 3.6 loses a character")),
        (
            "[authentication username=[field0]]",
            ("keywords in [authentication username=[field0]]", "filled in; SIPp up to 3.7 sends them as text"),
        ),
    ],
)
def test_a_slip_in_a_keyword_is_told(text: str, told: tuple[str, str]) -> None:
    keywords = reader()
    keywords.text(text, 1)
    assert [(each.found, each.taken) for each in keywords.findings.tolerations] == [told]


def test_a_message_has_its_method_or_status() -> None:
    request = reader().message("\n\n  INVITE sip:[service] SIP/2.0\n  Content-Length: [len]\n\n  v=0\n", 4)
    assert (request.method, request.status, request.has_body, request.line) == ("INVITE", 0, True, 6)
    assert request.parts == (
        "INVITE sip:",
        Value("service"),
        " SIP/2.0\r\nContent-Length: ",
        Length(0),
        "\r\n\r\nv=0\r\n",
    )
    response = reader().message("SIP/2.0 180 Ringing\n[last_Via:]", 1)
    assert (response.method, response.status, response.has_body) == ("", 180, False)
    assert response.parts[-1] == "\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[method] sip:a SIP/2.0", "the method or SIP/2.0 is a keyword or missing; write it, and a blank behind it"),
        ("INVITE", "the method or SIP/2.0 is a keyword or missing; write it, and a blank behind it"),
        ("SIP/2.0 20 OK", "20 OK is no status code; write one from 100 to 699"),
        ("SIP/2.0 abc", "abc is no status code; write one from 100 to 699"),
        ("SIP/2.0 700 X", "700 X is no status code; write one from 100 to 699"),
    ],
)
def test_a_message_without_method_or_status_is_a_fault(text: str, fault: str) -> None:
    keywords = reader(method="INVITE") if "[method]" not in text else KeywordReader({}, Findings())
    keywords.message(text, 3)
    assert fault in [each.text for each in keywords.findings.faults]
    assert {each.line for each in keywords.findings.faults} == {3}


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("authentication username=joe password=x", "joe"),
        ("authentication password=x", ""),
        (r'authentication username="j \"o\\e"', r'j "o\e'),
        ("authentication username=0x4a6f65zz", "Joe"),
        ("authentication username=0x5", "\x05"),
        ("authentication username=[field0] password=x", "[field0]"),
        ("authentication username=joe]", "joe"),
        ("authentication username=jo\u00e9", "jo"),
    ],
)
def test_parameters_are_read_as_sipp_does(keyword: str, value: str) -> None:
    assert parameter(keyword, "username") == value


@pytest.mark.parametrize("piece", ["[", "[a", "\\x", "[authentication ", "\n", " \n", "\t\n", "[a]"])
def test_time_is_linear_in_the_length(piece: str) -> None:
    """With a quadratic step this would take minutes or hours."""
    keywords = reader()
    keywords.message("A b" + piece * ((1 << 19) // len(piece)), 1)
    assert len(keywords.findings.faults) <= 1000
