"""`sipswarm probe --register` at our own registrar, once and as a service, and at registrars that misbehave."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.cli.probe.once import prober_of
from sipswarm.actors.config import AccountConfig, CallSettings
from sipswarm.actors.probe.module import Module, ProbeChecks
from sipswarm.actors.probe.report import Failure, ProbeReport
from sipswarm.sipcore.message.messages import Request, Response
from tests.certificates import Authority

from .agents import Peer, gate, reply
from .servers import USERS, Server, serving
from .test_command_line import SECONDS
from .test_probes import Service
from .waiting import until

REGISTERS = ("sipswarm_out_of_dialog_requests_total", 'method="REGISTER"')


@pytest.fixture
def users(tmp_path: Path) -> list[str]:
    """The options of a registrar that challenges."""
    file = tmp_path / "users.csv"
    file.write_text(USERS)
    return ["--realm", "127.0.0.1", "--users", str(file)]


def password(folder: Path, text: str) -> list[str]:
    file = folder / f"{text}.password"
    file.write_text(text)
    file.chmod(0o600)
    return ["--auth-user", "alice", "--auth-password-file", str(file)]


def probed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code of a probe, and its result."""
    code = main(["probe", *arguments, "--register", "--timeout", "30s", "--json", "--quiet"])
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, result


def removed(server: Server) -> bool:
    return server.metric("sipswarm_registrar_bindings") == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_user_is_registered_found_and_removed(
    tmp_path: Path, users: list[str], transport: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving("registrar", "--listen", f"{transport}:127.0.0.1:0", *users) as server:
        target = f"sip:alice@127.0.0.1:{server.ports[transport]};transport={transport}"
        code, result = probed(capsys, target, *password(tmp_path, "secret"))
        assert (code, result["status"], result["failure"]) == (0, 200, None), result
        assert set(result["phases"]) == {"resolve", "connect", "tls", "first_response", "answer", "bindings", "end"}
        assert all(result["phases"][each] > 0 for each in ("first_response", "answer", "bindings", "end"))
        assert [each["text"] for each in result["steps"]][-2:] == ["contacts: 1", "removed"]
        asyncio.run(until(lambda: removed(server) and server.metric(*REGISTERS, 'code="200"') == 3))


def test_who_is_registered_can_be_named_apart_from_the_registrar(
    tmp_path: Path, users: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    more = [*users[2:], "--realm", "example.org"]
    with serving("registrar", "--listen", "udp:127.0.0.1:0", *more) as server:
        own = ["--from", "sip:alice@example.org", *password(tmp_path, "secret")]
        code, result = probed(capsys, f"sip:127.0.0.1:{server.ports['udp']}", *own)
        assert code == 0, result
        asyncio.run(until(lambda: removed(server)))


def test_over_tls_the_certificate_of_the_registrar_is_shown(
    tmp_path: Path, users: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("registrar", "IP:127.0.0.1")
    files = ["--tls-cert", certificate, "--tls-key", key]
    with serving("registrar", "--listen", "tls:127.0.0.1:0", *users, *files) as server:
        target = f"sip:alice@127.0.0.1:{server.ports['tls']};transport=tls"
        code, result = probed(capsys, target, "--tls-ca", authority.ca, *password(tmp_path, "secret"))
        assert code == 0, result
        assert result["certificate_expiry"] > 0 < result["phases"]["tls"]


def test_what_is_wrong_with_user_or_password_has_its_name(
    tmp_path: Path, users: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with serving("registrar", "--listen", "udp:127.0.0.1:0", *users) as server:
        there = f"127.0.0.1:{server.ports['udp']}"
        code, result = probed(capsys, f"alice@{there}", *password(tmp_path, "wrong"))
        assert (code, result["failure"], result["status"]) == (1, "credentials", 401), result
        code, result = probed(capsys, f"alice@{there}")
        assert (code, result["failure"], result["status"]) == (1, "code", 401), result
        code, result = probed(capsys, f"alice@{there}", "--expect-code", "401")
        assert (code, result["failure"], result["status"]) == (0, None, 401), result
        code, result = probed(capsys, f"bob@{there}", *password(tmp_path, "secret"))
        assert (code, result["failure"], result["status"]) == (1, "code", 403), "alice may not register bob"
        assert removed(server)


def test_a_service_has_modules_that_register(tmp_path: Path, users: list[str]) -> None:
    files = {name: password(tmp_path, name)[-1] for name in ("secret", "wrong")}
    with serving("registrar", "--listen", "udp:127.0.0.1:0", *users) as server:
        modules = [
            f'[modules.{name}]\nregister = true\nuser = "alice"\nauth-user = "alice"\n'
            f'auth-password-file = "{file}"\ntimeout = "30s"\n'
            for name, file in files.items()
        ]
        made = Service(tmp_path, modules="".join(modules))
        try:
            target = f"127.0.0.1:{server.ports['udp']}"
            good = made.figures("probe", target=target, module="secret")
            assert (good["probe_success"], good["probe_sip_status_code"]) == (1, 200)
            assert good["probe_sip_phase_duration_seconds bindings"] > 0 < good["probe_sip_phase_duration_seconds end"]
            wrong = made.figures("probe", target=target, module="wrong")
            assert (wrong["probe_success"], wrong["probe_failed_due_to_credentials"]) == (0, 1)
            status, text = made.get("probe", target=f"bob@{target}", module="secret")
            assert (status, "names the user 'bob' already" in text) == (400, True)
        finally:
            made.running.close()


# ---- registrars that misbehave


class Home(Peer):
    """A registrar by hand: a step for each REGISTER in turn, the last one for all further ones.

    A step is a function of the request and of the contacts that are bound; it returns the answer, None = silence.
    """

    def __init__(self, *steps: Callable[[Request, list[str]], Response | None]) -> None:
        super().__init__(self._take)
        self._steps = steps
        self.bound: list[str] = []

    def _take(self, request: Request) -> Sequence[Response]:
        step = self._steps[min(len(self.requests) - 1, len(self._steps) - 1)]
        answer = step(request, self.bound)
        return [] if answer is None else [answer]


def honest(request: Request, bound: list[str]) -> Response:
    """Bind, remove or tell, and answer with all contacts."""
    named = [str(each.uri) for each in request.contacts]
    gone = request.headers.get("Expires") == "0"
    bound[:] = [each for each in bound if each not in named] + ([] if gone else named)
    return reply(request, 200, *(("Contact", f"<{each}>;expires=300") for each in bound))


def empty(request: Request, bound: list[str]) -> Response:
    return reply(request, 200)


def keeps(request: Request, bound: list[str]) -> Response:
    return reply(request, 200, *(("Contact", f"<{each}>;expires=300") for each in bound))


def refuses(request: Request, bound: list[str]) -> Response:
    return reply(request, 500)


def silent(request: Request, bound: list[str]) -> None:
    return None


def others(request: Request, bound: list[str]) -> Response:
    """Other phones of the user are bound too."""
    honest(request, bound)
    contacts = ["sip:alice@192.0.2.77", *bound]
    return reply(request, 200, *(("Contact", f"<{each}>;expires=300") for each in contacts))


async def probe(home: Peer, timeout: float = 20.0, account: AccountConfig | None = None) -> ProbeReport:
    prober = prober_of(1)
    module = Module(checks=ProbeChecks(register=True), settings=CallSettings(account=account or AccountConfig()))
    try:
        return await prober.probe(home.uri("alice"), module, timeout=timeout)
    finally:
        await prober.close()


@pytest.mark.parametrize(
    ("steps", "failure", "said"),
    [
        ((honest,), None, ""),
        ((others,), None, ""),
        ((honest, empty, honest), Failure.BINDING, "has not the new one among the contacts of sip:alice@"),
        ((honest, refuses, honest), Failure.BINDING, "500"),
        ((honest, honest, refuses), Failure.END, "500 Server Internal Error to the removal"),
        ((honest, honest, keeps), Failure.BINDING, "has the contact after its removal"),
        ((refuses,), Failure.CODE, "500 Server Internal Error instead of 2xx"),
    ],
    ids=["honest", "others", "forgets", "no question", "no removal", "keeps", "refuses"],
)
def test_each_step_has_a_failure_of_its_own(
    steps: tuple[Callable[[Request, list[str]], Response | None], ...], failure: Failure | None, said: str
) -> None:
    async def main() -> None:
        async with asyncio.timeout(SECONDS), Home(*steps) as home:
            report = await probe(home)
            assert (report.failure, said in report.detail) == (failure, True), report.detail
            if failure is None or steps[-1] is honest:
                assert home.bound == [], "the end of the user agent removes what a failed step has left"
            assert {request.uri for request in home.requests} == {f"sip:{home.host}:{home.port}"}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("steps", "failure", "said"),
    [
        ((silent,), Failure.TIMEOUT, "a final response to REGISTER"),
        ((honest, silent, honest), Failure.BINDING, "the answer to the question for the contacts of"),
        ((honest, honest, silent), Failure.END, "the response to the removal"),
    ],
    ids=["at once", "to the question", "to the removal"],
)
def test_silence_is_the_failure_of_the_step_that_waits(
    steps: tuple[Callable[[Request, list[str]], Response | None], ...], failure: Failure, said: str
) -> None:
    async def main() -> None:
        async with asyncio.timeout(SECONDS), Home(*steps) as home:
            report = await probe(home, timeout=1.5)
            assert report.failure is failure, report.detail
            assert report.detail.startswith(said), report.detail

    asyncio.run(main())


def test_each_request_is_challenged_and_the_first_challenge_is_the_first_response() -> None:
    judge = gate()

    def guarded(request: Request, bound: list[str]) -> Response:
        return judge(request) or honest(request, bound)

    async def main() -> None:
        async with asyncio.timeout(SECONDS), Home(guarded) as home:
            report = await probe(home, account=AccountConfig(user="alice", password="secret"))
            assert (report.failure, report.status) == (None, 200), report.detail
            assert report.phases["first_response"] > 0 < report.phases["answer"]
            assert home.bound == []
            report = await probe(home, account=AccountConfig(user="alice", password="wrong"))
            assert (report.failure, report.status) == (Failure.CREDENTIALS, 401)

    asyncio.run(main())
