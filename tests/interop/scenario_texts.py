"""Writes scenario files of SIPp, with as few words as there can be."""

HEAD = """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[pid]a[call_number]
To: <sip:b@[remote_ip]>[peer_tag_param]
Call-ID: [call_id]
Max-Forwards: 70"""
LAST = "[last_Via:]\n[last_From:]\n[last_To:];tag=b\n[last_Call-ID:]\n[last_CSeq:]"


def scenario(*commands: str) -> str:
    """A file of these commands."""
    body = "\n".join(commands)
    return f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="row">\n{body}\n</scenario>\n'


def send(message: str, attributes: str = "") -> str:
    """A `send`."""
    return f"<send {attributes}><![CDATA[\n\n{message}\n\n]]></send>"


def ask(method: str, number: int | str = 1, more: str = "", attributes: str = "") -> str:
    """A `send` of a request; `more` are further lines, each with its line end."""
    start = f"{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0"
    return send(f"{start}\n{HEAD}\nCSeq: {number} {method}\n{more}Content-Length: 0", attributes)


def say(code: int, more: str = "", attributes: str = "") -> str:
    """A `send` of a response."""
    return send(f"SIP/2.0 {code} Some\n{LAST}\n{more}Content-Length: 0", attributes)


def recv(expected: int | str, attributes: str = "", actions: str = "") -> str:
    """A `recv`."""
    kind = "response" if isinstance(expected, int) else "request"
    inside = f"<action>{actions}</action>" if actions else ""
    return f'<recv {kind}="{expected}" {attributes}>{inside}</recv>'


def nop(actions: str, attributes: str = "") -> str:
    """A `nop`."""
    return f"<nop {attributes}><action>{actions}</action></nop>"


OPTIONAL = 'optional="true"'
CALL = (
    ask("INVITE", attributes='retrans="500"'),
    recv(100, OPTIONAL),
    recv(180, OPTIONAL),
    recv(183, OPTIONAL),
    recv(200),
    ask("ACK"),
)
