"""Rendering a message: lengths, keywords that vanish, and the header that answers a challenge."""

from dataclasses import dataclass, field

import pytest

from sipswarm.actors.sipp.findings import Findings
from sipswarm.actors.sipp.keywords import KeywordReader
from sipswarm.actors.sipp.template import MOST_FILL, Credentials, Template


@dataclass
class Call:
    """A context whose keywords stand for what the test says."""

    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    fields: dict[int, str] = field(default_factory=dict)
    asked: list[object] = field(default_factory=list)

    def text(self, name: str) -> str:
        return self.texts.get(name, "")

    def number(self, name: str) -> int:
        return self.numbers[name]

    def branch(self, offset: int) -> str:
        return f"z9hG4bK-1-1-{7 + offset}"

    def last_header(self, name: str, value_only: bool) -> str:
        value = self.headers.get(name, "")
        return value if value_only or not value else f"{name}: {value}"

    def variable(self, name: str) -> str:
        return self.variables.get(name, "")

    def length(self, name: str) -> int:
        return int(float(self.variables.get(name, "0")))

    def field(self, number: int, file: str, row: str) -> str:
        self.asked.append((number, file, row))
        return self.fields.get(number, "")

    def file(self, name: str) -> str:
        return f"<{name}>"

    def authentication(self, credentials: Credentials, method: str, body: str) -> str:
        self.asked.append((credentials, method, body))
        return f"Authorization: Digest {credentials.username}"


def message(text: str) -> Template:
    keywords = KeywordReader({}, Findings())
    found = keywords.message(text, 1)
    assert keywords.findings.faults == []
    return found


def text(written: str) -> Template:
    return KeywordReader({}, Findings()).text(written, 1)


def test_len_is_right_aligned_in_five_places_and_counts_the_octets_of_the_body() -> None:
    made = message("A b\n  Content-Length: [len]\n\n    v=0\n      s=[$1]\n\n\n\n").render(
        Call(variables={"1": "\xc3\xa9"})
    )
    assert made == "A b\r\nContent-Length:    11\r\n\r\nv=0\r\ns=\xc3\xa9\r\n"


def test_len_takes_an_offset_and_only_the_last_one_is_filled_in() -> None:
    assert message("A b\nX: [len]|\nY: [len+2]|\n\nxyz").render(Call()) == "A b\r\nX:      |\r\nY:     5|\r\n\r\nxyz"


def test_len_without_an_empty_line_stays_blank() -> None:
    assert text("a [len] b").render(Call()) == "a       b"


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("A b\n[last_X:]\nC: d", "A b\r\nC: d\r\n\r\n"),
        ("A b\nX: <[last_X:]>\nC: d", "A b\r\nX: <>\r\nC: d\r\n\r\n"),
        ("A b\n[$1]\n[field0]\n[routes]\nC: d", "A b\r\nC: d\r\n\r\n"),
        ("A b\n[$1][last_X:]C: d", "A b\r\nC: d\r\n\r\n"),
        ("A b\n[last_To:]\nC: d", "A b\r\nTo: x\r\nC: d\r\n\r\n"),
        ("A b\n[last_X:]\n\nbody", "A b\r\nbody"),
        ("A b\n[call_id]\nC: d", "A b\r\n\r\nC: d\r\n\r\n"),
        ("A b\nC: d\n\n[$1]\nv=0\n", "A b\r\nC: d\r\n\r\nv=0\r\n"),
    ],
)
def test_an_empty_keyword_that_begins_a_line_takes_its_line_end_along(written: str, made: str) -> None:
    assert message(written).render(Call(headers={"To": "x"})) == made


def test_a_value_that_ends_with_a_line_end_takes_the_next_one_along() -> None:
    assert message("A b\n[$1]\nC: d").render(Call(variables={"1": "X: y\r\n"})) == "A b\r\nX: y\r\nC: d\r\n\r\n"


def test_numbers_branches_and_files() -> None:
    call = Call(texts={"call_id": "c1"}, numbers={"cseq": 4, "remote_port": 5060}, variables={"n": "5.000000"})
    made = text(
        "[call_id] [cseq+1] [remote_port-60] [branch] [branch-2] [file name=[call_id]] [fill text=ab variable=n]"
    )
    assert made.render(call) == "c1 5 5000 z9hG4bK-1-1-7 z9hG4bK-1-1-5 <c1> ababa"
    assert text('[file name="[call_id].bin"]').render(call) == "<c1.bin>"


def test_fill_has_a_bound() -> None:
    assert len(text("[fill variable=n]").render(Call(variables={"n": "1e12"}))) == MOST_FILL
    assert text("[fill variable=n]").render(Call(variables={"n": "-3"})) == ""


def test_a_field_knows_its_file_and_row() -> None:
    call = Call(fields={3: "x"}, variables={"n": "12"})
    assert text('[field3 file=a.csv line="[$n]"]').render(call) == "x"
    assert call.asked == [(3, "a.csv", "12")]


def test_the_answer_to_a_challenge_is_made_last_from_method_and_body() -> None:
    call = Call(variables={"1": "s"})
    written = 'INVITE b\n[authentication username=joe password="[$1]"]\nContent-Length: [len]\n\nv=0\n'
    assert message(written).render(call) == (
        "INVITE b\r\nAuthorization: Digest joe\r\nContent-Length:     5\r\n\r\nv=0\r\n"
    )
    assert call.asked == [(Credentials("joe", "s", "", "", ""), "INVITE", "v=0\r\n")]


def test_a_field_may_be_the_answer_to_a_challenge() -> None:
    call = Call(fields={1: "[authentication username=eve password=p]", 2: "<[authentication username=x]>"})
    assert message("INVITE b\n[field1]\nC: d").render(call) == "INVITE b\r\nAuthorization: Digest eve\r\nC: d\r\n\r\n"
    assert message("INVITE b\nX: [field2]").render(call) == "INVITE b\r\nX: <Authorization: Digest x>\r\n\r\n"
    assert (Credentials("eve", "p", "", "", ""), "INVITE", "") in call.asked


def test_keywords_that_are_the_same_for_all_calls_become_text() -> None:
    template = text("sip:[service]@[remote_ip]:[remote_port+1] [call_id]")
    bound = template.bound({"service": "100", "remote_ip": "10.0.0.7", "remote_port": "5060"})
    assert bound.parts[0] == "sip:100@10.0.0.7:5061 "
    assert bound.render(Call(texts={"call_id": "c"})) == "sip:100@10.0.0.7:5061 c"
    assert template.bound({}).parts == template.parts


def test_a_text_without_keywords_is_constant() -> None:
    assert text("abc").constant == "abc"
    assert text("").constant == ""
    assert text("a[pid]").constant is None
