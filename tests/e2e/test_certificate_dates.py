"""A node and the dates of its own certificate: refused by name, or shown with its end in `check` and in the metrics."""

import signal

import pytest

from sipswarm.actors.cli import main
from tests.certificates import Authority, dates_by_openssl
from tests.e2e.test_command_line import SECONDS, WORKERS, Running, scraped
from tests.interop.processes import wait_until

NOT_AFTER = ("sipswarm_tls_certificate_not_after_seconds",)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.mark.parametrize("verb", [["answer"], ["check", "answer"]], ids="-".join)
def test_an_expired_certificate_refuses_the_start(
    authority: Authority, verb: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    certificate, key = authority.issue("expired", "IP:127.0.0.1", days=-1)
    files = ["--tls-cert", certificate, "--tls-key", key]
    assert main([*verb, "--listen", "tls:127.0.0.1:0", *files, *WORKERS]) == 2
    said = capfd.readouterr().err
    assert f"--tls-cert {certificate} expired on 20" in said
    assert "renew it, or name another one" in said


def test_the_end_of_a_certificate_is_in_the_metrics_and_a_near_one_in_the_log(authority: Authority) -> None:
    certificate, key = authority.issue("near", "IP:127.0.0.1", days=2)
    listen = ["--listen", "tls:127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key]
    running = Running("answer", *listen, "--metrics", "0", *WORKERS)
    try:
        running.line()
        url = running.line().removeprefix("metrics on ")
        wait_until(lambda: scraped(url).get(NOT_AFTER, 0) > 0, SECONDS, "no metric of the certificate")
        assert scraped(url)[NOT_AFTER] == dates_by_openssl(certificate)[1]
        code, log = running.end(signal.SIGINT)
        assert code == 0
        assert f"--tls-cert {certificate} expires on" in log
    finally:
        running.close()
