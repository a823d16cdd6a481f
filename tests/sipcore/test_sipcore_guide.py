"""The guide docs/sipcore.md: its code runs, and does what the guide says."""

from pathlib import Path

from sipswarm.sipcore.message import Request, Response, parse
from sipswarm.sipcore.message.hop import Transmit
from sipswarm.sipcore.usage.subscription import Notified

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "sipcore.md"


def run(number: int) -> dict[str, object]:
    """The names that a piece of code of the guide leaves behind. number: 1 for the first."""
    code = GUIDE.read_text().split("```python\n")[number].split("```")[0]
    names: dict[str, object] = {}
    exec(compile(code, str(GUIDE), "exec"), names)
    return names


def test_the_code_of_the_guide_runs_and_tells_what_the_guide_says() -> None:
    text = GUIDE.read_text()
    names = run(1)
    happened = names["happened"]
    assert isinstance(happened, list)
    assert " ".join(happened) in text
    for name in ("caller", "called"):
        assert getattr(names[name], "finished") is True  # noqa: B009 - the type is the guide's business


def test_the_code_of_the_guide_is_about_30_lines_of_statements() -> None:
    code = GUIDE.read_text().split("```python\n")[1].split("```")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 36


def test_the_subscription_of_the_guide_is_notified_and_refreshed() -> None:
    names = run(2)
    answer, notified, refresh = names["answer"], names["notified"], names["refresh"]
    assert isinstance(answer, Transmit)
    assert isinstance(notified, Notified)
    assert isinstance(refresh, Transmit)
    answered, again = parse(answer.data), parse(refresh.data)
    assert isinstance(answered, Response)
    assert (answered.status, answered.cseq.method) == (200, "NOTIFY")
    assert (notified.state, notified.body) == ("active", b"open")
    assert isinstance(again, Request)
    assert (again.method, again.to_tag, again.event) == ("SUBSCRIBE", "b", ("presence", {}))
