"""The scanner of scenario files: all well-formed files, the usual mistakes with a line each, and nothing guessed."""

import random
import re

import pytest

from sipswarm.actors.sipp import scenario_file
from sipswarm.actors.sipp.faults import ScenarioFileError
from sipswarm.actors.sipp.markup import DEEPEST, MOST_ATTRIBUTES, MOST_OCTETS, Document, Element, excerpt, read, shown


def document(text: str | bytes) -> Document:
    return read(text if isinstance(text, bytes) else text.encode(), "a.xml")


def read_or_refused(text: str) -> Document | ScenarioFileError:
    try:
        return document(text)
    except ScenarioFileError as error:
        return error


def tolerated(found: Document) -> list[str]:
    return [f"{each.line}: {each.found}: {each.taken}" for each in found.tolerations]


def shape(element: Element) -> object:
    """The names of an element and of those in it."""
    return (element.name, [shape(each) for each in element.children]) if element.children else element.name


def test_a_well_formed_file_is_its_elements_without_a_word() -> None:
    found = document(
        '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
        '<!-- a -- b > c -->\n<scenario name="x">\n<send retrans="500"\n  rtd = "1">\n<![CDATA[\nA <b> &lt; ]]>\n'
        "</send>\n<recv response='200'><action><log message=\"a\"/></action></recv>\n</scenario>\n<!-- end -->\n"
    )
    assert found.tolerations == ()
    assert shape(found.root) == ("scenario", ["send", ("recv", [("action", ["log"])])])
    send = found.root.children[0]
    assert (send.line, send.attributes, send.text, send.text_line) == (
        *(5, {"retrans": "500", "rtd": "1"}),
        *("\nA <b> &lt; ", 7),
    )
    assert found.root.children[1].attributes == {"response": "200"}
    assert found.root.children[1].text is None


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("a &lt;b&gt; &amp;amp; &quot;&apos;", "a <b> &amp; \"'"),
        ("&#65;&#x42;&#xe9;", "AB\u00c3\u00a9"),
        (r"\\ \" \n\t\r \. \[", '\\ " \n\t\r \\. \\['),
        ("a > b", "a > b"),
        ("it's", "it's"),
    ],
)
def test_values_are_decoded_as_sipp_does(written: str, value: str) -> None:
    found = document(f'<scenario><nop display="{written}"/></scenario>')
    assert found.root.children[0].attributes["display"] == value
    assert found.tolerations == ()


def test_a_value_in_single_quotes_may_have_double_ones() -> None:
    assert document("<scenario name='a \"b\" \\n'/>").root.attributes == {"name": 'a "b" \n'}


@pytest.mark.parametrize(
    ("text", "shaped", "mistakes"),
    [
        ('<scenario><nop display="a<b"/></scenario>', ("scenario", ["nop"]), ["1: < in the value of display: text"]),
        ('<scenario><nop display="a&b"/></scenario>', ("scenario", ["nop"]), ["1: & in the value of display: text"]),
        (
            '<scenario>\n<nop rtd="1" rtd="2"/></scenario>',
            ("scenario", ["nop"]),
            ['2: rtd of <nop> twice: rtd="1", the first'],
        ),
        (
            '<scenario><nop rtd="1"hide="true"/></scenario>',
            ("scenario", ["nop"]),
            ["1: no blank before hide: a blank"],
        ),
        (
            '<scenario>\n<recv response="100"> optional="true"\n</recv></scenario>',
            ("scenario", ["recv"]),
            ['2: text outside of CDATA: optional="true": nothing'],
        ),
        (
            '<scenario>\n<recv response="200">\n<send/></scenario>',
            ("scenario", ["recv", "send"]),
            ["3: <recv> is not closed before <send>: closed there"],
        ),
        (
            '<scenario>\n<recv response="200"></send>\n<nop/></scenario>',
            ("scenario", ["recv", "nop"]),
            [
                "2: </send> of an element that is not open: nothing",
                "3: <recv> is not closed before <nop>: closed there",
            ],
        ),
        (
            '<scenario><recv response="200"><action>\n<ereg regexp="a">\n<log message="b"/></action></recv></scenario>',
            ("scenario", [("recv", [("action", ["ereg", "log"])])]),
            ["3: <ereg> is not closed before <log>: closed there"],
        ),
        (
            "<scenario><nop><action>\n</nop></scenario>",
            ("scenario", [("nop", ["action"])]),
            ["2: <action> is not closed before </nop>: closed there"],
        ),
        ("<scenario>\n<nop/>\n", ("scenario", ["nop"]), ["3: <scenario> is not closed: closed at the end of the file"]),
        (
            "<scenario><nop/></scenario>\n<nop/>",
            ("scenario", ["nop"]),
            ["2: <nop> behind the end of <scenario>: nothing"],
        ),
        (
            '<!-- a -->\n<?xml version="1.0"?><scenario><nop/></scenario>',
            ("scenario", ["nop"]),
            ["2: <?xml behind the beginning of the file: nothing"],
        ),
        (
            "<scenario><!-- a <!-- b -->\n c --><nop/></scenario>",
            ("scenario", ["nop"]),
            ["2: text outside of CDATA: c -->: nothing"],
        ),
        (
            "<scenario><send><![CDATA[a]]>\n<![CDATA[b]]></send></scenario>",
            ("scenario", ["send"]),
            ["2: a second CDATA section in <send>: nothing: the first one counts"],
        ),
        ("<scenario><nop\n</scenario>", ("scenario", ["nop"]), [
            "1: <nop without >: a <nop>",
            "2: <nop> is not closed before </scenario>: closed there",
        ]),
        ("<scenario><nop></nop\n<nop/></scenario>", ("scenario", ["nop", "nop"]), ["1: </nop without >: </nop>"]),
        ("<scenario>a < b<nop/></scenario>", ("scenario", ["nop"]), [
            "1: text outside of CDATA: a: nothing",
            "1: < that begins no element: text outside of CDATA",
            "1: text outside of CDATA: b: nothing",
        ]),
    ],
)  # fmt: skip
def test_a_usual_mistake_is_taken_and_told_by_line(text: str, shaped: object, mistakes: list[str]) -> None:
    found = document(text)
    assert shape(found.root) == shaped
    assert tolerated(found) == mistakes


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("<scenario>\n<!-- a", "a.xml:2: the comment that begins here is not closed; write --> at its end"),
        (
            "<scenario>\n<send>\n<![CDATA[a\n</send>",
            "a.xml:3: the CDATA section that begins here is not closed; write ]]> at its end",
        ),
        (
            '<scenario>\n<nop display="a/>\n</scenario>',
            'a.xml:2: the quote that begins the value of display is not closed; write " at its end',
        ),
        (
            '<scenario>\n<nop display="a/>\n<recv response="200"/></scenario>',
            'a.xml:2: the quote that begins the value of display is not closed; write " at its end',
        ),
        (
            '<scenario>\n<recv response="200 optional="true"/>\n</scenario>',
            "a.xml:2: a quote of <recv> is missing or not closed before true",
        ),
        (
            '<scenario>\n<recv response=200 optional="true"/>\n</scenario>',
            'a.xml:2: the value of response is not in quotes; write response="200"',
        ),
        (
            "<scenario>\n<recv response/></scenario>",
            'a.xml:2: attribute response of <recv> has no value; write response="…"',
        ),
        (
            "<scenario>\n<send><![CDATA[a</send><send><![CDATA[b]]></send></scenario>",
            "a.xml:2: the CDATA section that begins here is not closed before the next one; write ]]> at its end",
        ),
        (
            "<scenario>\n<send><![CDATA [a]]></send></scenario>",
            "a.xml:2: <![CDATA [a]]></send></scenario> is no CDATA section and no comment; write <![CDATA[",
        ),
        (
            '<scenario>\n recv response="200"/>\n</scenario>',
            'a.xml:2: recv response="200"/> stands outside of elements; write < before it',
        ),
        ("<sipp>\n</sipp>", "a.xml:1: the first element is <sipp>; write <scenario>"),
        ("", "a.xml:1: there is no <scenario> in it; give a scenario file of SIPp"),
        ("async def scenario(ua, row): pass\n", "a.xml:1: there is no <scenario> in it; give a scenario file of SIPp"),
        (b"\xff\xfe<\x00", "a.xml:1: it is UTF-16; save it as UTF-8"),
        (b"<" * (MOST_OCTETS + 1), "a.xml:1: it has more than 1 MiB; give a scenario file of SIPp"),
        (
            "<scenario>" + "<a>" * DEEPEST,
            f"a.xml:1: <a> is the {DEEPEST + 1}th element in each other; close those before it",
        ),
        (
            "<scenario "
            + " ".join(f'a{index}=""' for index in range(MOST_ATTRIBUTES + 1))
            + "/>",
            f"a.xml:1: <scenario> has more than {MOST_ATTRIBUTES} attributes; close it before them",
        ),
        ("<scenario>" + "</a>" * 4001, "a.xml:1: there are 4000 mistakes before it; give a scenario file of SIPp"),
    ],
)  # fmt: skip
def test_what_is_not_closed_is_refused_with_its_line(text: str | bytes, error: str) -> None:
    with pytest.raises(ScenarioFileError) as caught:
        document(text)
    assert str(caught.value) == error
    assert caught.value.faults[0].line == int(error.split(":")[1])


def test_octets_stay_octets_and_line_ends_become_lf() -> None:
    found = document(b"\xef\xbb\xbf<scenario>\r\n<send><![CDATA[caf\xe9\r\n\xc3\xa9]]></send>\r\n</scenario>")
    assert found.root.children[0].text == "caf\u00e9\n\u00c3\u00a9"
    assert tolerated(found) == [
        "1: a byte order mark: nothing",
        "2: octets that are not UTF-8: Latin-1: they are sent as they are",
    ]


def test_a_file_that_says_it_is_latin_1_is_not_told_so() -> None:
    found = document(b'<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="\xe9"/>')
    assert found.tolerations == ()
    assert shown(found.root.attributes["name"]) == "\u00e9"


def test_people_see_utf_8_where_it_is() -> None:
    assert shown("\u00c3\u00a9") == "\u00e9"
    assert shown("\u00e9") == "\u00e9"
    assert excerpt("a\n  b" * 40) == "a ba ba ba ba ba ba ba ba ba ba ba ba ba…"


WHOLE = scenario_file.text_of("regexp")


@pytest.mark.parametrize("name", scenario_file.BUILTIN)
def test_the_scenarios_that_come_with_the_program_are_well_formed(name: str) -> None:
    assert scenario_file.read_builtin(name).tolerations == ()


def test_every_mutant_is_read_or_refused_with_a_line_and_keeps_its_text() -> None:
    """A missing quote, bracket or end tag never moves text of a message into another place in silence."""
    texts = {each.text for each in document(WHOLE).root.children}
    places = [
        match.span()
        for match in re.compile(r"[\"<>]|</\w+>|/>|]]>|-->|<!\[CDATA\[").finditer(WHOLE, WHOLE.index("<scenario"))
    ]
    chosen = random.Random(16).sample(places, min(200, len(places)))
    assert len(chosen) > 100
    refused = 0
    for begin, end in chosen:
        mutant = WHOLE[:begin] + WHOLE[end:]
        found = read_or_refused(mutant)
        if isinstance(found, ScenarioFileError):
            refused += 1
            assert 1 <= found.faults[0].line <= WHOLE.count("\n") + 1
            continue
        inside = re.sub(r"<!\[CDATA\[.*?\]\]>", "", mutant, flags=re.DOTALL)
        if inside == re.sub(r"<!\[CDATA\[.*?\]\]>", "", WHOLE, flags=re.DOTALL):
            continue  # the mutation is within the text of a message
        assert found.tolerations, mutant[max(0, begin - 40) : end + 40]
        assert {each.text for each in found.root.children} <= texts
    assert refused > 10


@pytest.mark.parametrize(
    "piece",
    ["<", ">", "\n", '"', "\\", "<a ", "<!-- -->", '<nop a="', "&lt;", "<a b='", "</", "<nop>", "<?xml ?>", "x="],
)
def test_time_is_linear_in_the_length(piece: str) -> None:
    """A file of one piece over and over is read or refused: with a quadratic step this would take hours."""
    text = '<scenario name="' if piece in {"\n", "\\", "&lt;"} else "<scenario>"
    whole = (text + piece * (MOST_OCTETS // len(piece)))[:MOST_OCTETS]
    found = read_or_refused(whole)
    assert found.faults if isinstance(found, ScenarioFileError) else found.tolerations
