"""The node's configuration: addresses as text, errors with their fix, and one JSON line to each process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipswarm.actors.config import (
    AnswerConfig,
    HandedDown,
    Listener,
    LoadConfig,
    NodeConfig,
    format_host,
    split_host_port,
)
from sipswarm.actors.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "listener", "written"),
    [
        ("udp:127.0.0.1:5070", Listener("udp", "127.0.0.1", 5070), "udp:127.0.0.1:5070"),
        ("127.0.0.1:5070", Listener("udp", "127.0.0.1", 5070), "udp:127.0.0.1:5070"),
        ("127.0.0.1", Listener("udp", "127.0.0.1", 5060), "udp:127.0.0.1:5060"),
        ("tcp:[::1]:0", Listener("tcp", "::1", 0), "tcp:[::1]:0"),
        ("tls:[::1]", Listener("tls", "::1", 5060), "tls:[::1]:5060"),
        ("udp:::1", Listener("udp", "::1", 5060), "udp:[::1]:5060"),
        ("::1", Listener("udp", "::1", 5060), "udp:[::1]:5060"),
    ],
)
def test_a_listener_is_read_and_written(text: str, listener: Listener, written: str) -> None:
    assert Listener.parse(text) == listener
    assert str(listener) == written
    assert Listener.parse(written) == listener


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("udp:example.com:5060", "'example.com' is not an IP address"),
        ("sctp:127.0.0.1:5060", "'sctp"),
        ("", "'' is not an IP address"),
        ("udp:127.0.0.1:65536", "port '65536'"),
        ("udp:127.0.0.1:-1", "port '-1'"),
        ("udp:127.0.0.1:5060x", "port '5060x'"),
        ("udp:127.0.0.1:٥٠٦٠", "is not a number from 0 to 65535"),
        ("udp:[::1]:99999", "port '99999'"),
        ("udp:127.0.0.1:000005060", "port '000005060'"),
    ],
)
def test_a_bad_listener_is_refused_by_naming_the_part(text: str, part: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Listener.parse(text)
    assert part in str(caught.value)


@given(st.text(max_size=30))
def test_any_text_is_a_listener_or_a_configuration_error(text: str) -> None:
    try:
        listener = Listener.parse(text)
    except ConfigurationError:
        return
    assert Listener.parse(str(listener)) == listener


@pytest.mark.parametrize(
    ("text", "parts"),
    [("a", ("a", 7)), ("a:1", ("a", 1)), ("[::1]", ("::1", 7)), ("[::1]:2", ("::1", 2)), ("::1", ("::1", 7))],
)
def test_host_and_port_are_told_apart(text: str, parts: tuple[str, int]) -> None:
    assert split_host_port(text, 7) == parts


def test_only_ipv6_stands_in_brackets() -> None:
    assert format_host("::1") == "[::1]"
    assert format_host("127.0.0.1") == "127.0.0.1"


@pytest.mark.parametrize("answer", [None, AnswerConfig(), AnswerConfig("tone:440", 1.5, 486, True, 3.0, ("::1/128",))])
@pytest.mark.parametrize("load", [None, LoadConfig("sip:a@127.0.0.1"), LoadConfig("sip:b@[::1]", 5.5, calls=7)])
def test_a_node_configuration_crosses_as_one_json_line(answer: AnswerConfig | None, load: LoadConfig | None) -> None:
    config = NodeConfig(
        "/run/x",
        (Listener("udp", "127.0.0.1", 0), Listener("udp", "::1", 5060)),
        2**32 - 1,
        answer,
        load,
        call_workers=3,
        media_workers=2,
    )
    text = config.to_json()
    assert "\n" not in text
    assert NodeConfig.from_json(text) == config


def test_a_link_is_a_socket_file_or_inside_the_process() -> None:
    assert NodeConfig("/run/x", (), 1).endpoint("media-0") == "ipc:///run/x/media-0.sock"
    assert NodeConfig("", (), 1).endpoint("sip") == "inproc://sip"


def test_descriptors_get_the_numbers_of_the_process_that_has_them() -> None:
    given = HandedDown(listeners=(9, 4), last_call=7, ledger=3)
    assert given.numbers == [9, 4, 7, 3]
    assert given.renumbered((5, 6, 7, 8)) == HandedDown(listeners=(5, 6), last_call=7, ledger=8)
    assert HandedDown().renumbered(()) == HandedDown()
    with pytest.raises(ValueError, match="zip"):
        given.renumbered((5, 6, 7))
