"""The table of SIPp's options against the program itself: each has its row, with what to write instead."""

import re
import shutil
import subprocess

import pytest

from sipswarm.actors.sipp.options import OPTIONS

SIPP = shutil.which("sipp")


@pytest.mark.skipif(SIPP is None, reason="SIPp is not installed")
def test_every_option_of_sipp_has_its_row() -> None:
    assert SIPP is not None
    shown = subprocess.run([SIPP, "-h"], capture_output=True, text=True, timeout=30, check=False).stdout
    listed = set(re.findall(r"^\s+(-[A-Za-z0-9_]+)\s*:", shown, re.MULTILINE)) - {"-1", "-2"}
    assert len(listed) > 80
    assert listed - OPTIONS.keys() == set()


def test_an_option_that_is_not_taken_has_a_sentence_that_says_what_to_write() -> None:
    for name, option in OPTIONS.items():
        assert name.startswith("-")
        assert option.taken or re.match(r"[A-Za-z/].{9,}", option.text), name
        assert not option.text.endswith("."), name
