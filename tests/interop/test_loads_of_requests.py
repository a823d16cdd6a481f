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


@pytest.mark.parametrize(("users", "rate"), [(300, 100), pytest.param(10_000, 200, marks=pytest.mark.slow)])
def test_kamailio_has_all_users_and_then_none(tmp_path: Path, start: Start, users: int, rate: int) -> None:
    """Each REGISTER is challenged; the registrar says itself how many addresses are bound."""
    home = start(Registrar(tmp_path))
    home.ready()
    names = [f"user{number}" for number in range(users)]
    (tmp_path / "users.csv").write_text(
        "\n".join(["from,user,password", *(f"{name},{name},PASSWORD-{name}" for name in names)])
    )
    options = ["--method", "register", *USER, "-m", str(users), "-r", str(rate), "-d", f"{users / rate + 5:g}s"]
    seconds = 2 * users / rate + 60
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(load, tmp_path, f"sip:{home.address}", options, seconds, host=LOOPBACK)
        wait_until(lambda: going.done() or home.users() == users, seconds, "all addresses are bound")
        assert not going.done(), going.result().account
        result = going.result()
    assert result.exit_code in (0, 98), result.account
    assert home.users() == 0
    counted = result.summary["calls"]
    assert counted["attempted"] == counted["answered"] == counted["completed"] == users
    assert counted["codes"] == {"200": users}
