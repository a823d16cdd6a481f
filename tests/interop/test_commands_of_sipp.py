"""Two files of a call with optional commands, run by two SIPps and by one load of ours: both send the same requests."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import Peer, reply
from tests.e2e.in_thread import InThread

from .conftest import Start
from .node import load
from .processes import LOOPBACK, free_port
from .scenario_texts import OPTIONAL, ask, recv, scenario
from .sipp import Sipp

NUMBER = '<action><ereg regexp="X-N: ([a-z]+)" search_in="msg" assign_to="all,n"/></action>'
USED = (
    '<nop><action><strcmp assign_to="order" variable="all" value="x"/></action></nop>'
    '<nop test="order" next="end"/><label id="end"/>'
)
"""SIPp refuses variables that are used once only."""


def tell(word: str) -> str:
    """A command."""
    return f"<sendCmd><![CDATA[\nCall-ID: [call_id]\nX-N: {word}\n]]></sendCmd>"


def take(attributes: str = "") -> str:
    """The wait for one."""
    return f"<recvCmd {attributes}>{NUMBER}</recvCmd>"


ONE = scenario(ask("OPTIONS", 1, "X-T: a\n"), recv(200), tell("one"), '<pause milliseconds="500"/>')
TWO = scenario(
    *(ask("OPTIONS", 1, "X-T: a\n"), recv(200), tell("one")),
    *(ask("OPTIONS", 2, "X-T: aa\n"), recv(200), tell("two"), '<pause milliseconds="500"/>'),
)
BEHIND = scenario(
    *(take(), ask("OPTIONS", 1, "X-T: b [$n]\n"), take(OPTIONAL), recv(200)),
    *(ask("OPTIONS", 2, "X-T: bb [$n]\n"), recv(200), USED),
)
BEFORE = scenario(
    *(take(), ask("MESSAGE", 1, "X-T: b [$n]\n"), recv(100, OPTIONAL), take()),
    *(ask("OPTIONS", 2, "X-T: bb [$n]\n"), recv(200), USED),
)


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        pytest.param(ONE, BEHIND, ["a", "b one", "bb one"], id="a message passes an optional command by"),
        pytest.param(TWO, BEFORE, ["a", "aa", "b one", "bb two"], id="a command passes an optional message by"),
    ],
)
def test_sipp_and_we_do_the_same(first: str, second: str, wanted: Sequence[str], tmp_path: Path, start: Start) -> None:
    def answers(request: Request) -> Sequence[Response]:
        return [] if request.method == "MESSAGE" else [reply(request, 200)]

    def seen(peer: Peer) -> list[str]:
        return sorted(str(each.headers.get("X-T")) for each in peer.requests)

    (tmp_path / "a.xml").write_text(first)
    (tmp_path / "b.xml").write_text(second)
    options = ["-3pcc", f"{LOOPBACK}:{free_port()}"]
    with InThread(Peer(answers)) as peer:
        remote = f"{LOOPBACK}:{peer.port}"
        sides = []
        for name in ("b", "a"):  # the first connects to the second, which has to listen
            file = tmp_path / f"{name}.xml"
            sides.append(
                start(Sipp(tmp_path, name, remote=remote, scenario=file, calls=1, seconds=15, options=options))
            )
            if name == "b":
                sides[0].ready()
        for side in sides:
            verdict = side.verdict()
            assert verdict.exit_code == 0, verdict.account
        assert seen(peer) == wanted
    with InThread(Peer(answers)) as peer:
        files = ["-sf", str(tmp_path / "a.xml"), "-sf", str(tmp_path / "b.xml")]
        result = load(tmp_path, f"b@{LOOPBACK}:{peer.port}", [*files, "-m", "1"], 30, host=LOOPBACK)
        assert result.verdict == 0, result.account
        assert seen(peer) == wanted
