"""The files of `[file name=…]`: where they are looked for, and what is wrong with them."""

from pathlib import Path

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.load.sipp_files.named_texts import MOST_OCTETS, NamedTexts


def test_a_file_stands_beside_the_scenario_or_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_bytes(b"beside\xe9")
    (tmp_path / "a.txt").write_text("here")
    (tmp_path / "b.txt").write_text("here")
    monkeypatch.chdir(tmp_path)
    texts = NamedTexts("files/uac.xml", ["a.txt", "b.txt"])
    assert [texts.text("a.txt"), texts.text("b.txt")] == ["beside\xe9", "here"]
    with pytest.raises(ValueError, match="not named when the run began"):
        texts.text("c.txt")


def test_a_file_that_is_missing_or_too_long_is_an_error(tmp_path: Path) -> None:
    scenario = str(tmp_path / "uac.xml")
    with pytest.raises(ConfigurationError, match=r"\[file name=no.txt\]: there is no such file"):
        NamedTexts(scenario, ["no.txt"])
    (tmp_path / "long.txt").write_bytes(bytes(MOST_OCTETS + 1))
    with pytest.raises(ConfigurationError, match=r"long\.txt"):
        NamedTexts(scenario, ["long.txt"])
