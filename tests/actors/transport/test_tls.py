"""TLS contexts: what is refused before anything starts, and what the contexts demand."""

import ssl
from pathlib import Path

import pytest

from sipswarm.actors.config import Listener, NodeConfig, TlsConfig
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.transport import tls
from tests.certificates import Authority

LEG = Listener("tls", "127.0.0.1", 5061)
ANY_PORT = Listener("tls", "127.0.0.1", 0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def test_contexts_verify_and_take_tls_1_2_at_least(authority: Authority) -> None:
    certificate, key = authority.issue("a", "IP:127.0.0.1")
    config = TlsConfig(authority.ca, certificate, key)
    tls.check(config, [LEG])
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
    tls.check(TlsConfig(), [ANY_PORT, Listener("udp", "127.0.0.1", 5060)])
    assert tls.server_context(TlsConfig()) is None
    tls.check(TlsConfig("/nowhere"), [Listener("tcp", "127.0.0.1", 5060)])


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
            tls.check(config, [LEG])
        assert "secret" not in str(caught.value)


def test_the_configuration_carries_paths_only_and_survives_the_way_to_a_process() -> None:
    config = NodeConfig("", (LEG,), 1, tls=TlsConfig("ca.pem", "a.pem", "a.key", client_certificates=True))
    assert NodeConfig.from_json(config.to_json()) == config
