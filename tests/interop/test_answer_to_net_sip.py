"""`sipswarm answer` under a call of Perl's Net::SIP: what its callbacks saw, and the audio and digits it got back."""

from pathlib import Path
from typing import Any

from sipswarm.actors.config import format_host

from .conftest import Start
from .net_sip import WIRES, NetSip, Wire, over_every_wire
from .node import Answer
from .wire_totals import Comparison


def called_by_net_sip(
    folder: Path, start: Start, options: list[str], wire: Wire = WIRES[0], **arguments: object
) -> tuple[dict[str, Any], Answer]:
    tls = wire.tls
    certified = ["--tls-cert", tls.certificate, "--tls-key", tls.key] if tls is not None else []
    answer = start(
        Answer(folder, [*options, *certified], transport=wire.transport, host="::1" if ":" in wire.host else "")
    )
    answer.ready()
    caller = NetSip(
        folder,
        "uac.pl",
        40,
        to=wire.uri("robot", answer.port, host=format_host(answer.host)),
        **wire.of_perl(),
        **arguments,
    )
    said = start(caller).report()
    assert said["final"] == "OK", said
    assert said["code"] == "200"
    return said, answer


def echoed(said: dict[str, Any], answer: Answer, captured: Comparison, wire: Wire = WIRES[0]) -> None:
    """At least 99 of the first 100 frames came back, in order and octet for octet, and both sides counted them."""
    numbers = said["numbers"]
    assert said["bye"] == 1, said
    assert said["whole"] == len(numbers), "a payload came back changed"
    assert numbers == sorted(set(numbers)), "frames came back twice or out of order"
    # At least 99 of 100: Net::SIP sends its first frame with the ACK, and it may come before our media worker was told
    # where from to take it.
    missing = set(range(100)) - set(numbers)
    assert len(missing) <= 1, f"missing: {sorted(missing)}"
    assert len(numbers) >= said["sent"] - 1 - len(missing)
    metrics = answer.counted("sipswarm_calls_completed_total", 1, role="uas", ended_by="remote")
    assert metrics.total("sipswarm_calls_finished_total", role="uas", outcome="answered") == 1
    metrics = answer.counted("sipswarm_rtp_packets_total", len(numbers), direction="sent")
    assert metrics.total("sipswarm_rtp_packets_total", direction="received") >= len(numbers)
    assert metrics.total("sipswarm_rtp_packets_lost_total") == 0
    if wire.transport != "tls":  # what tshark cannot read
        captured.equals_metrics(answer, answer.side)


@over_every_wire("udp", "tcp", "udp6")
def test_04_every_frame_of_net_sip_comes_back_unchanged(
    tmp_path: Path, start: Start, captured: Comparison, wire: Wire
) -> None:
    echoed(*called_by_net_sip(tmp_path, start, ["--media", "echo"], wire, frames=100), captured, wire)


def test_a_call_without_an_offer_gets_ours_and_its_media_works(
    tmp_path: Path, start: Start, captured: Comparison
) -> None:
    echoed(*called_by_net_sip(tmp_path, start, ["--media", "echo"], frames=100, sdp_on_ack=1), captured)


def test_digits_of_net_sip_are_counted_and_sent_back(tmp_path: Path, start: Start, captured: Comparison) -> None:
    options = ["--media", "silence", "--dtmf-echo"]
    said, answer = called_by_net_sip(tmp_path, start, options, frames=10, dtmf="12D#", linger=3)
    assert "".join(event for event, _ in said["digits"]) == "12D#"
    metrics = answer.counted("sipswarm_dtmf_events_total", 4, direction="received", mode="rfc4733")
    assert metrics.total("sipswarm_dtmf_events_total", direction="received") == 4
    assert metrics.total("sipswarm_dtmf_events_total", direction="sent", mode="rfc4733") == 4
    captured.equals_metrics(answer, answer.side)
