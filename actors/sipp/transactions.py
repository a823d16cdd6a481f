"""The transactions that a file names (`start_txn`, `ack_txn`, `response_txn`), and the methods of all others."""

from .attributes import Attributes
from .findings import Findings
from .markup import excerpt
from .template import Template


class Transactions:
    """What a file says of transactions, in the order of the file."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._started: dict[str, tuple[int, str]] = {}
        """Line and method of the first request of each transaction."""
        self._acknowledged: dict[str, int] = {}
        self._answered: dict[str, int] = {}
        self.methods: tuple[str, ...] = ()
        """Methods of the requests outside of named transactions so far, each once."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all transactions that are started."""
        return tuple(self._started)

    def send(self, attributes: Attributes, message: Template) -> tuple[str, str]:
        """Note a `send`; return its `start_txn` and its `ack_txn`."""
        start, ack = attributes.text("start_txn"), attributes.text("ack_txn")
        line = attributes.element.line
        if "response_txn" in attributes:
            attributes.fault("response_txn is for received responses; write it in <recv response=…>")
        if not message.method:
            if start or ack:
                attributes.fault("a response begins and ends no transaction of its own; write it without")
            return "", ""
        if start and message.method == "ACK":
            attributes.fault("an ACK begins no transaction; write ack_txn")
        elif start:
            self._started.setdefault(start, (line, message.method))
        elif ack and message.method != "ACK":
            attributes.fault(f"ack_txn is for ACK, not for {excerpt(message.method)}; write start_txn")
        elif ack:
            self._acknowledged.setdefault(ack, line)
        elif message.method not in self.methods:
            self.methods = (*self.methods, message.method)
        return start, ack

    def receive(self, attributes: Attributes) -> str:
        """Note a `recv`; return its `response_txn`."""
        name = attributes.text("response_txn")
        if name and not attributes.text("response"):
            attributes.fault("response_txn is for received responses; write it in <recv response=…>")
        elif name:
            self._answered.setdefault(name, attributes.element.line)
        return name

    def check(self) -> None:
        """Note transactions that lack a part, at the end of the file."""
        for name, line in (*self._answered.items(), *self._acknowledged.items()):
            if name not in self._started:
                self._findings.fault(
                    line, f'transaction {excerpt(name)} is not begun; write start_txn="{excerpt(name)}"'
                )
        for name, (line, method) in self._started.items():
            if name not in self._answered:
                self._findings.tolerate(line, f"no response_txn of transaction {excerpt(name)}", "no response expected")
            if method == "INVITE" and name not in self._acknowledged:
                self._findings.tolerate(line, f"no ack_txn of transaction {excerpt(name)}", "no ACK")
