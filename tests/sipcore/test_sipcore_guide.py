"""The guide docs/sipcore.md: its code runs, and does what the guide says."""

from pathlib import Path

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "sipcore.md"


def test_the_code_of_the_guide_runs_and_tells_what_the_guide_says() -> None:
    text = GUIDE.read_text()
    code = text.split("```python\n")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(compile(code, str(GUIDE), "exec"), names)
    happened = names["happened"]
    assert isinstance(happened, list)
    assert " ".join(happened) in text
    for name in ("caller", "called"):
        assert getattr(names[name], "finished") is True  # noqa: B009 - the type is the guide's business


def test_the_code_of_the_guide_is_about_30_lines_of_statements() -> None:
    code = GUIDE.read_text().split("```python\n")[1].split("```")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 36
