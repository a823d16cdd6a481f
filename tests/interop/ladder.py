"""Call flows for SIPp as ladders: one line per message, written out as the XML that SIPp reads. Not a test.

A ladder is what SIPp does; `ours` is never in it. Whatever a message of ours must have is a `Check` in the line that
receives it: SIPp itself fails the call when it does not hold, so that its exit code is the verdict.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self
from xml.sax.saxutils import quoteattr

SDP = """v=0
o=peer 1000 {version} IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
"""
TAG = "[pid]callee[call_number]"
"""SIPp's tag where it is called"""
REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    422: "Session Interval Too Small",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    491: "Request Pending",
}


def description(version: int = 1, *more: str) -> str:
    """A description of SIPp's; more: attribute lines of its audio."""
    return SDP.format(version=version) + "".join(f"{line}\n" for line in more)


class Check(NamedTuple):
    """What a received message must have: a POSIX expression found in one header, or in the body for `header` empty."""

    header: str
    expression: str
    absent: bool = False
    """it must not be found"""


class Ladder:
    """SIPp's side of one call; every method is one line and gives the ladder back.

    calls: whether SIPp is the caller. It then has the dialog that its INVITE made; else the one that ours made, and
    its own requests begin with CSeq 1.
    """

    def __init__(self, name: str, *, calls: bool) -> None:
        self.name = name
        self.calls = calls
        self._steps: list[str] = []
        self._variables: list[str] = []
        self._cseq = 0
        self._version = 0
        self._invite_at = 0

    # ---- what comes

    # SIPp takes nothing in between two messages that it sends: what of ours comes as the answer to the first fails the
    # call. Hence a ladder waits after everything that is answered.

    def recv(
        self,
        what: int | str,
        *checks: Check,
        optional: bool = False,
        routes: bool = False,
        within_ms: int = 0,
        keep: str = "",
    ) -> Self:
        """Wait for a response by its status, or a request by its method.

        routes: take Contact and Record-Route over. within_ms: the call fails when it does not come by then. keep: a
        header that later lines have as `[$header]`, in lower case.
        """
        kind = "response" if isinstance(what, int) else "request"
        extra = (' optional="true"' if optional else "") + (' rrs="true"' if routes else "")
        extra += f' timeout="{within_ms}"' if within_ms else ""
        kept = ("Via", "From", "To", "CSeq") if what == "INVITE" else (keep,) if keep else ()
        actions = "".join(self._ereg(check, f"check{len(self._variables)}") for check in checks)
        actions += "".join(self._ereg(Check(header, ".*"), header.lower()) for header in kept)
        body = f"<action>{actions}</action>" if actions else ""
        self._steps.append(f'<recv {kind}="{what}"{extra}>{body}</recv>')
        return self

    def _ereg(self, check: Check, variable: str) -> str:
        if variable not in self._variables:
            self._variables.append(variable)
        where = f'search_in="hdr" header="{check.header}:"' if check.header else 'search_in="body"'
        how = "check_it_inverse" if check.absent else "check_it"
        return f'<ereg regexp={quoteattr(check.expression)} {where} {how}="true" assign_to="{variable}"/>'

    def provisionals(self) -> Self:
        """Take 100, 180 and 183 as they come."""
        for status in (100, 180, 183):
            self.recv(status, optional=True)
        return self

    # ---- what SIPp sends

    def send(
        self,
        method: str,
        *headers: str,
        body: str = "",
        content_type: str = "application/sdp",
        cseq: int | None = None,
        same_branch: bool = False,
        to_tag: str = "",
        anew: bool = False,
        into: str = "",
    ) -> Self:
        """Send a request: the first INVITE, or one within the dialog.

        cseq: default the next number; ACK and CANCEL have their INVITE's. same_branch: that of the INVITE, for CANCEL
        and the ACK of a refusal. to_tag: in place of the peer's, to be wrong. anew: an INVITE that begins again after
        a refusal, without the tag of that. into: the To tag of a first request, for a call that does not exist.
        """
        first = self.calls and (anew or not self._cseq)
        if cseq is None:
            self._cseq += method not in ("ACK", "CANCEL")
            cseq = self._cseq
        if method == "INVITE":
            self._invite_at = len(self._steps)
        branch = f"[branch-{len(self._steps) - self._invite_at}]" if same_branch else "[branch]"
        outside = first or same_branch or method == "CANCEL"
        uri = "sip:[service]@[remote_ip]:[remote_port]" if outside and self.calls else "[next_url]"
        here = "<sip:peer@[local_ip]:[local_port]>"
        if self.calls:
            to_tag = into or to_tag
            tag = (
                "" if (first and not into) or method == "CANCEL" else f";tag={to_tag}" if to_tag else "[peer_tag_param]"
            )
            own, peer = f"{here};tag=[pid]caller[call_number]", f" <sip:[service]@[remote_ip]:[remote_port]>{tag}"
        else:
            own, peer = f"{here};tag={TAG}", "[$from]"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}",
            f"From: {own}",
            f"To:{peer}",
            "Call-ID: [call_id]",
            f"CSeq: {cseq} {method}",
            "Contact: <sip:peer@[local_ip]:[local_port];transport=[transport]>",
            "Max-Forwards: 70",
            *(() if outside else ("[routes]",)),
            *headers,
        ]
        self._message(lines, body, content_type, repeat=method != "ACK")
        return self

    def invite(self, *headers: str, offer: bool = True, anew: bool = False) -> Self:
        """Send an INVITE or re-INVITE; without an offer its ACK carries the answer."""
        return self.send("INVITE", *headers, body=self._next_description() if offer else "", anew=anew)

    def respond(
        self,
        status: int,
        *headers: str,
        body: str = "",
        tag: str = "",
        to_invite: bool = False,
        repeat: bool = False,
    ) -> Self:
        """Answer the message that came last.

        tag: appended to To, for the first response in a dialog. to_invite: answer our last INVITE, although something
        else has come since. repeat: by timer, until the next message comes, as finals to INVITE are.
        """
        suffix = f";tag={tag}" if tag else ""
        lines = [
            f"SIP/2.0 {status} {REASONS[status]}",
            "Via:[$via]" if to_invite else "[last_Via:]",
            "From:[$from]" if to_invite else "[last_From:]",
            f"To:[$to]{suffix}" if to_invite else f"[last_To:]{suffix}",
            "[last_Call-ID:]",
            "CSeq:[$cseq]" if to_invite else "[last_CSeq:]",
            "[last_Record-Route:]",
            "Contact: <sip:peer@[local_ip]:[local_port];transport=[transport]>",
            *headers,
        ]
        self._message(lines, body, "application/sdp", repeat=repeat)
        return self

    def _message(self, lines: Sequence[str], body: str, content_type: str, *, repeat: bool) -> None:
        kind = [f"Content-Type: {content_type}", "Content-Length: [len]"] if body else ["Content-Length: 0"]
        text = "\n".join([*lines, *kind, "", body])
        retrans = ' retrans="500"' if repeat else ""
        self._steps.append(f"<send{retrans}><![CDATA[\n{text}\n]]></send>")

    def _next_description(self) -> str:
        self._version += 1
        return description(self._version)

    # ---- parts that many flows have

    def set_up(self, *headers: str) -> Self:
        """The call is made and up: INVITE, 200, ACK, by whoever calls."""
        if self.calls:
            return self.invite(*headers).provisionals().recv(200, routes=True).send("ACK")
        self.recv("INVITE", routes=True)
        return self.accept(*headers).recv("ACK")

    def accept(self, *headers: str, tag: str = TAG) -> Self:
        """Answer the INVITE that came last; tag: empty for a re-INVITE."""
        return self.respond(200, *headers, body=self._next_description(), tag=tag, repeat=True)

    def hang_up(self) -> Self:
        """SIPp's BYE, answered 200."""
        return self.send("BYE").recv(200)

    def is_hung_up_on(self) -> Self:
        """Our BYE, answered 200; its repetitions too, for a while."""
        self.recv("BYE").respond(200)
        self._steps.append('<timewait milliseconds="300"/>')
        return self

    def pause(self, milliseconds: int) -> Self:
        """Do nothing; a new message within this time is a failure."""
        self._steps.append(f'<pause milliseconds="{milliseconds}"/>')
        return self

    # ----

    def write(self, folder: Path) -> Path:
        """The scenario as a file that SIPp takes with -sf."""
        reference = f'<Reference variables="{",".join(self._variables)}"/>\n' if self._variables else ""
        file = folder / f"{self.name}.xml"
        file.write_text(
            f'<?xml version="1.0" encoding="UTF-8" ?>\n<scenario name={quoteattr(self.name)}>\n'
            + "\n".join(self._steps)
            + f"\n{reference}</scenario>\n"
        )
        return file
