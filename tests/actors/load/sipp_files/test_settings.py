"""The options of a load as settings of the calls of its scenario file."""

from dataclasses import replace
from pathlib import Path

import pytest

from sipswarm.actors.config import LoadConfig
from sipswarm.actors.diagnosis.sipp_load_options import SippLoadConfig
from sipswarm.actors.diagnosis.sipp_options import SippFileConfig
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.load.sipp_files.settings import (
    behaviours_of,
    check_rows,
    check_settings,
    indexes_of,
    settings_of,
)
from sipswarm.actors.sipp import markup, program_reader
from sipswarm.actors.sipp.call.settings import ALL_BEHAVIOURS, Behaviour, Settings


def settings(given: SippFileConfig, hold: float = 0.0) -> Settings:
    return settings_of(replace(LoadConfig("sip:a@b"), sipp=given, hold=hold))


def test_without_options_they_are_those_of_sipp() -> None:
    assert settings(SippFileConfig()) == Settings()


def test_each_option_has_its_setting() -> None:
    given = SippFileConfig(
        auto_answer=True,
        no_repeats=True,
        invite_repeats=2,
        other_repeats=3,
        t2=1.5,
        repetition_check="loose",
        receive_timeout=7.0,
        base_cseq=9,
        lost=25.0,
        ignored_in_pause=True,
        strict=True,
        default_behaviours="none",
    )
    assert settings(given, hold=2.0) == Settings(
        strict=True,
        behaviours=frozenset(),
        auto_answer=True,
        repeats=False,
        invite_repeats=2,
        other_repeats=3,
        t2=1.5,
        loose=True,
        receive_timeout=7.0,
        pause=2.0,
        base_cseq=9,
        lost=0.25,
        ignored_in_pause=True,
    )


def test_max_retrans_is_for_all_messages_and_nd_for_all_behaviours() -> None:
    found = settings(SippFileConfig(repeats=1, no_default_behaviours=True))
    assert (found.invite_repeats, found.other_repeats, found.behaviours) == (1, 1, frozenset())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("all", ALL_BEHAVIOURS),
        ("none", frozenset()),
        ("bye", {Behaviour.BYE}),
        ("abortunexp, bye", {Behaviour.ABORT_UNEXPECTED, Behaviour.BYE}),
        ("all,-bye", ALL_BEHAVIOURS - {Behaviour.BYE}),
        ("all,none,pingreply", {Behaviour.PING_REPLY}),
    ],
)
def test_words_of_default_behaviors_are_read_from_the_left(text: str, found: set[Behaviour]) -> None:
    assert behaviours_of(text) == found


def test_what_cannot_be_says_what_to_write() -> None:
    with pytest.raises(ConfigurationError, match=r"all,byes: .byes. is unknown; write all, none, bye"):
        behaviours_of("all,byes")
    with pytest.raises(ConfigurationError, match=r"-infindex users.csv x: write the number of a field"):
        indexes_of(SippFileConfig(indexes=(("users.csv", "x"),)))
    assert indexes_of(SippFileConfig(indexes=(("users.csv", "1"),))) == {"users.csv": 1}


FILE = b"""<scenario><Global variables="g"/><send><![CDATA[
OPTIONS sip:a SIP/2.0
Call-ID: [call_id]
]]></send><nop test="g" next="x"/><label id="x"/></scenario>"""


def test_options_that_do_not_go_with_the_file_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    rows = tmp_path / "users.csv"
    program = program_reader.read(markup.read(FILE, "a.xml"))
    config = replace(LoadConfig("sip:a@b"), data=str(rows), scenario="a.xml")
    rows.write_text("SEQUENTIAL\na;1\nb\n")
    check_settings(replace(config, sipp=SippFileConfig(variables=(("g", "1"),))), program)
    with pytest.raises(ConfigurationError, match="-set h: the file has no global variable h"):
        check_settings(replace(config, sipp=SippFileConfig(variables=(("h", "1"),))), program)
    with pytest.raises(ConfigurationError, match="-infindex other: there is no such injection file"):
        check_rows(replace(config, sipp=SippFileConfig(indexes=(("other", "1"),))))
    rows.write_text("USER\na\n")
    check_rows(config)
    with pytest.raises(ConfigurationError, match=r"no\.csv"):
        check_rows(replace(config, sipp_load=SippLoadConfig(more_rows=(str(tmp_path / "no.csv"),))))
    with pytest.raises(ConfigurationError, match="-cid_str same: all calls would have one Call-ID"):
        check_settings(replace(config, sipp_load=SippLoadConfig(call_id_form="same")), program)
