"""`sipswarm load --method` against SIPp, which counts what came and checks the credentials."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import Start
from .kamailio import Registrar
from .node import LoadResult, load
from .processes import LOOPBACK, wait_until
from .sipp import Sipp, Verdict

USER = ["--data", "users.csv"]


def sent(
    folder: Path, start: Start, scenario: str, calls: int, options: list[str], transport: str = "u1"
) -> tuple[LoadResult, Verdict]:
    (folder / "users.csv").write_text("from,user,password\nalice,alice,open-sesame\n")
    peer = start(Sipp(folder, "uas", scenario=scenario, calls=calls, seconds=40, transport=transport, host=LOOPBACK))
    peer.ready()
    word = "udp" if transport == "u1" else "tcp"
    target = f"sip:{'' if 'register' in options else 'service@'}{peer.address}"
    result = load(folder, target, [*options, "-m", str(calls), "-r", "50", "-t", word], 60, host=LOOPBACK)
    return result, peer.verdict()


def agree(result: LoadResult, verdict: Verdict, calls: int) -> None:
    assert result.exit_code in (0, 98), result.account  # 98 when the machine was too busy
    assert verdict.exit_code == 0, verdict.account + result.account
    counted = result.summary["calls"]
    assert verdict.calls("TotalCallCreated") == verdict.calls("SuccessfulCall(C)") == calls, verdict.account
    assert counted["attempted"] == counted["answered"] == counted["completed"] == calls
    assert (counted["failed"], len(result.calls)) == (0, calls)


@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_sipp_counts_each_options(tmp_path: Path, start: Start, transport: str) -> None:
    result, verdict = sent(tmp_path, start, "uas_takes_options.xml", 50, ["--method", "options"], transport)
    agree(result, verdict, 50)
    assert verdict.total("OPTIONS", "Recv") == 50


def test_sipp_checks_the_credentials_of_each_message(tmp_path: Path, start: Start) -> None:
    result, verdict = sent(
        tmp_path, start, "uas_takes_messages.xml", 30, ["--method", "message", "--body", "hello", *USER]
    )
    agree(result, verdict, 30)
    assert verdict.total("MESSAGE", "Recv") == 60


def test_sipp_checks_the_credentials_of_each_registration_and_its_removal(tmp_path: Path, start: Start) -> None:
    result, verdict = sent(tmp_path, start, "uas_registrar.xml", 30, ["--method", "register", "-d", "1s", *USER])
    agree(result, verdict, 30)
    assert {row["closed"] for row in result.calls} == {"confirmed"}


@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_sipp_notifies_each_subscription_until_its_end(tmp_path: Path, start: Start, transport: str) -> None:
    options = ["--method", "subscribe", "--event", "message-summary", "-d", "1s"]
    result, verdict = sent(tmp_path, start, "uas_notifies.xml", 30, options, transport)
    agree(result, verdict, 30)
    assert {row["closed"] for row in result.calls} == {"confirmed"}
    assert verdict.total("NOTIFY", "Sent") == verdict.total("SUBSCRIBE", "Recv") == 60


@pytest.mark.parametrize(
    ("users", "rate", "hold", "expires", "each"),
    [
        (300, 100, 8.0, 900, 2),
        pytest.param(10_000, 200, 120.0, 120, 3, marks=(pytest.mark.slow, pytest.mark.timeout(600))),
    ],
)
def test_kamailio_has_all_users_and_then_none(
    tmp_path: Path, start: Start, users: int, rate: int, hold: float, expires: int, each: int
) -> None:
    """Each user is challenged; the registrar says itself how many addresses are bound, and how often they were.

    each: REGISTERs that it accepts from a user: the first one, a refresh where `expires` is short, and the removal.
    """
    home = start(Registrar(tmp_path))
    home.ready()
    names = [f"user{number}" for number in range(users)]
    (tmp_path / "users.csv").write_text(
        "\n".join(["from,user,password", *(f"{name},{name},PASSWORD-{name}" for name in names)])
    )
    options = ["--method", "register", *USER, "-m", str(users), "-r", str(rate), "-d", f"{hold:g}s"]
    seconds = 2 * users / rate + hold + 60
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(
            load, tmp_path, f"sip:{home.address}", [*options, "--expires", str(expires)], seconds, host=LOOPBACK
        )
        wait_until(lambda: going.done() or home.users() == users, seconds, "all addresses are bound")
        assert not going.done(), going.result().account
        result = going.result()
    assert result.exit_code in ((0, 98) if users < 1000 else (0,)), result.account
    assert home.users() == 0
    counted = result.summary["calls"]
    assert counted["attempted"] == counted["answered"] == counted["completed"] == users
    assert counted["codes"] == {"200": users}
    assert home.accepted() >= each * users
    assert result.summary["generator"]["healthy"] or result.exit_code == 98
