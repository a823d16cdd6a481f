"""TLS contexts: what is refused before anything starts, and what the contexts demand."""

import logging
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sipswarm.actors.config import Listener, NodeConfig, TlsConfig
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.transport import tls
from sipswarm.actors.transport.certificate_dates import UnknownDates, validity_of
from tests.certificates import Authority, dates_by_openssl

LEG = Listener("tls", "127.0.0.1", 5061)
ANY_PORT = Listener("tls", "127.0.0.1", 0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def test_contexts_verify_and_take_tls_1_2_at_least(authority: Authority) -> None:
    certificate, key = authority.issue("a", "IP:127.0.0.1")
    config = TlsConfig(authority.ca, certificate, key)
    tls.check(config, [LEG], time.time())
    client, server = tls.client_context(config), tls.server_context(config)
    assert server is not None
    assert client.minimum_version == server.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (client.check_hostname, client.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert server.verify_mode == ssl.CERT_OPTIONAL
    demanding = tls.server_context(TlsConfig(authority.ca, certificate, key, client_certificates=True))
    assert demanding is not None
    assert demanding.verify_mode == ssl.CERT_REQUIRED
    careless = tls.client_context(TlsConfig(verify=False))
    assert (careless.check_hostname, careless.verify_mode) == (False, ssl.CERT_NONE)


def test_a_leg_that_only_calls_needs_no_certificate() -> None:
    tls.check(TlsConfig(), [ANY_PORT, Listener("udp", "127.0.0.1", 5060)], time.time())
    assert tls.server_context(TlsConfig()) is None
    tls.check(TlsConfig("/nowhere"), [Listener("tcp", "127.0.0.1", 5060)], time.time())


def test_what_cannot_be_used_is_named_and_nothing_of_the_key_is_said(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("a", "IP:127.0.0.1")
    _, other = authority.issue("b", "IP:127.0.0.1")
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("secret words")
    for config, part in (
        (TlsConfig(), "needs a certificate; say --tls-cert"),
        (TlsConfig(certificate="/nowhere"), "--tls-cert /nowhere with --tls-key /nowhere cannot be used: No such file"),
        (TlsConfig(certificate=certificate, key=other), "cannot be used: KEY_VALUES_MISMATCH"),
        (TlsConfig(certificate=certificate, key=str(garbage)), "cannot be used"),
        (TlsConfig(str(garbage), certificate, key), "--tls-ca .*garbage.pem cannot be used"),
        (TlsConfig("", certificate, key, client_certificates=True), "say --tls-ca FILE"),
    ):
        with pytest.raises(ConfigurationError, match=part) as caught:
            tls.check(config, [LEG], time.time())
        assert "secret" not in str(caught.value)


def test_the_configuration_carries_paths_only_and_survives_the_way_to_a_process() -> None:
    config = NodeConfig("", (LEG,), 1, tls=TlsConfig("ca.pem", "a.pem", "a.key", client_certificates=True))
    assert NodeConfig.from_json(config.to_json()) == config


def test_a_certificate_is_used_within_its_dates_only_and_the_error_names_file_date_and_fix(
    authority: Authority,
) -> None:
    certificate, key = authority.issue("dated", "IP:127.0.0.1")
    not_before, not_after = dates_by_openssl(certificate)
    config = TlsConfig(authority.ca, certificate, key)
    for now in (not_before, not_after):
        assert tls.check(config, [LEG], now) == not_after
    for now, part, date in (
        (not_after + 1, "expired on", not_after),
        (not_before - 1, "is not valid before", not_before),
    ):
        shown = datetime.fromtimestamp(date, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        with pytest.raises(ConfigurationError, match=f"--tls-cert {certificate} {part} {shown}; .*name another one"):
            tls.check(config, [LEG], now)
        assert tls.check(config, [Listener("udp", "127.0.0.1", 5060)], now) == 0, "no TLS listener, no certificate"
        assert tls.server_context(config) is not None, "a dispatcher that is replaced goes on with it"


@pytest.mark.parametrize(("days", "warned"), [(29.9, True), (30.1, False)])
def test_a_certificate_that_expires_within_30_days_is_a_warning(
    authority: Authority, caplog: pytest.LogCaptureFixture, days: float, warned: bool
) -> None:
    certificate, key = authority.issue("ending", "IP:127.0.0.1", days=60)
    _, not_after = dates_by_openssl(certificate)
    with caplog.at_level(logging.WARNING):
        tls.check(TlsConfig("", certificate, key), [LEG], not_after - days * 86400)
    assert [f"--tls-cert {certificate} expires on" in each for each in caplog.messages] == [True] * warned
    assert all("in 29 days" in each for each in caplog.messages)


def test_the_dates_of_a_chain_are_those_of_its_first_certificate_wherever_the_key_stands(
    authority: Authority, tmp_path: Path
) -> None:
    certificate, key = authority.issue("leaf", "IP:127.0.0.1")
    chain = tmp_path / "chain.pem"
    parts = (key, certificate, authority.ca)
    chain.write_text("".join(Path(each).read_text() for each in parts))
    not_before, not_after = dates_by_openssl(certificate)
    assert tls.check(TlsConfig("", str(chain)), [LEG], not_before) == not_after


@pytest.mark.parametrize("year", [2049, 2050, 9999])
def test_both_forms_of_dates_are_read(tmp_path: Path, year: int) -> None:
    days = (datetime(year, 6, 1, tzinfo=UTC) - datetime.now(UTC)).days
    certificate, key = Authority(tmp_path).issue("long", "IP:127.0.0.1", days=days)
    _, not_after = dates_by_openssl(certificate)
    assert tls.check(TlsConfig("", certificate, key), [LEG], time.time()) == not_after


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_a_certificate_that_is_cut_has_no_dates_or_right_ones(authority: Authority, cut: int) -> None:
    der = ssl.PEM_cert_to_DER_cert(Path(authority.ca).read_text())
    pem = ssl.DER_cert_to_PEM_cert(der[:cut]).encode()
    try:
        assert list(validity_of(pem)) == dates_by_openssl(authority.ca)
    except UnknownDates:
        assert cut < len(der)
