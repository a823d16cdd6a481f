"""The media of a session description, as a scenario file's call takes it: anything may come, nothing is refused."""

import pytest

from sipswarm.actors.sipp.call.described import MOST_FORMATS, Descriptions, RemoteMedia, media_of

BODY = (
    "v=0\r\no=a 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 8 0 101 97\r\na=rtpmap:101 telephone-event/8000\r\na=rtpmap:97 opus/48000/2\r\n"
)


def message(body: str) -> str:
    """A response with a body."""
    return f"SIP/2.0 200 OK\r\nX: m=audio 1 c=IN IP4 192.0.2.7\r\n\r\n{body}"


def test_an_ordinary_description() -> None:
    found = media_of(message(BODY))
    assert found == RemoteMedia(
        "192.0.2.1", 4000, ((8, "PCMA", 8000), (0, "PCMU", 8000), (101, "telephone-event", 8000), (97, "opus", 48000))
    )
    assert (found.events, found.audio) == (101, (8, "PCMA", 8000))


def test_the_address_of_the_line_counts_more_than_that_of_the_session() -> None:
    found = media_of(message(BODY + "c=IN IP6 2001:db8::1\r\nm=video 5000 RTP/AVP 96\r\nc=IN IP4 192.0.2.3\r\n"))
    assert found is not None
    assert (found.address, found.port) == ("2001:db8::1", 4000)


def test_the_first_audio_line_counts_wherever_it_stands() -> None:
    body = BODY.replace("m=audio", "m=video 6000 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\nm=audio", 1)
    found = media_of(message(f"{body}m=audio 8000 RTP/AVP 0\r\n"))
    assert found is not None
    assert found.port == 4000


def test_a_description_without_events_or_audio_has_defaults() -> None:
    found = media_of(message("c=IN IP4 192.0.2.1/127\nm=audio 4000/2 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n"))
    assert found is not None
    assert (found.address, found.port, found.audio) == ("192.0.2.1", 4000, (0, "PCMU", 8000))
    plain = media_of(message("c=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n"))
    assert plain is not None
    assert plain.events == -1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "m=audio\r\n",
        "m=audio 4000 RTP/AVP 0\r\n",
        "c=IN IP4 192.0.2.1\r\nm=audio 0 RTP/AVP 0\r\n",
        "c=IN IP4 192.0.2.1\r\nm=audio 70000 RTP/AVP 0\r\n",
        "c=IN IP4 192.0.2.1\r\nm=audio x RTP/AVP 0\r\n",
        "c=IN IP4\r\nm=audio 4000 RTP/AVP 0\r\n",
        "c=IN IP4 192.0.2.1\r\nm=video 4000 RTP/AVP 31\r\n",
    ],
)
def test_what_cannot_be_sent_to_is_no_media(body: str) -> None:
    assert media_of(message(body)) is None


def test_strange_formats_are_left_out_and_bounded() -> None:
    formats = " ".join(["8", "x", "200", "-1", "99", *map(str, range(128))] * 3)
    found = media_of(message(f"c=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP {formats}\r\na=rtpmap:99 x\r\na=rtpmap:\r\n"))
    assert found is not None
    assert found.formats[:2] == ((8, "PCMA", 8000), (99, "x", 8000))
    assert len(found.formats) <= MOST_FORMATS


def test_what_either_side_describes_may_come_and_the_last_description_counts() -> None:
    found = Descriptions()
    found.sent(message("c=IN IP4 192.0.2.2\r\nm=audio 6000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"))
    assert (found.peer, found.received) == (None, ((0, "PCMU", 8000), (101, "telephone-event", 8000)))
    found.came(message(BODY))
    found.came("SIP/2.0 200 OK\r\n\r\n")
    found.sent("BYE sip:a SIP/2.0\r\n\r\n")
    assert found.peer == media_of(message(BODY))
    expected = ((0, "PCMU", 8000), (101, "telephone-event", 8000), (8, "PCMA", 8000), (97, "opus", 48000))
    assert found.received == expected
    found.sent(message("c=IN IP4 192.0.2.2\r\nm=audio 6000 RTP/AVP 9\r\n"))
    assert found.received[0] == (9, "G722", 8000)
