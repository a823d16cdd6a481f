"""The vocabulary of the sip link and the control link: every record two of our processes may exchange.

Commands are imperative, events are past tense. Each record is a NamedTuple of plain values (int, float, str, bytes,
bool and tuples of those), so that it packs as it stands and cannot be changed on the way. The media vocabulary is
`media.messages`; `actors.bus.wire` numbers all of them. This file must not depend on sockets, encodings or processes.
"""

from typing import Final, NamedTuple

PHRASE_LENGTH: Final = 100
"""Characters kept of a peer's reason phrase."""

# Records of every link.


class Hello(NamedTuple):
    """The first record on a link: who speaks. Answered by a `Welcome`."""

    role: str
    """dispatcher, call, media or supervisor."""
    slot: int
    """0 … n-1 within the role."""
    pid: int


class Welcome(NamedTuple):
    """The answer to `Hello`: the link works in both directions."""

    role: str
    slot: int


class Probe(NamedTuple):
    """How many of my records have you handled? Without a number of its own; answered by `Probed`."""

    sent: int
    """Records that were sent on this link before it."""


class Probed(NamedTuple):
    """The answer to `Probe`, or the word that records before a frame did not come; its frame has the number handled.

    What was sent and is not handled is lost then, and is sent again: frames keep their order on a connection.
    """

    sent: int
    """As in the `Probe`; records before the frame that came too early."""


# The links to a call worker, from the dispatcher and from a media worker.


class StoodStill(NamedTuple):
    """The process that sends it stood still; comes before anything that it read afterwards."""

    since: float
    """Monotonic time at which it did not do what was due."""
    until: float
    """Monotonic time at which it went on."""


# The sip link, from the dispatcher to a call worker.


class SipReceived(NamedTuple):
    """One SIP message as it arrived, raw."""

    listener: int
    """Index into the node's listeners."""
    flow: int
    """The connection it came on (TCP, TLS); 0 for UDP."""
    host: str
    port: int
    data: bytes
    local: str = ""
    """Our address that it came to, where the listener has several; empty = the listener's."""


class SendFailed(NamedTuple):
    """A request did not get out, or its connection closed while an answer may have been awaited."""

    listener: int
    host: str
    port: int
    data: bytes
    """The request; at least its headers up to Call-ID."""
    reason: str
    """In words, for the log."""
    loss: str
    """The value of a `request_loss.Loss`."""


# The sip link, from a call worker to the dispatcher.


class SendSip(NamedTuple):
    """Put one message on a connection (TCP, TLS). UDP is sent by the call worker itself."""

    listener: int
    flow: int
    """The connection to answer on; 0 = the one to host and port, opened when there is none."""
    host: str
    port: int
    name: str
    """Whose certificate a new TLS connection must show; empty = the host itself."""
    data: bytes


class Prepared(NamedTuple):
    """The applications of a call worker serve each call as they will serve all others."""

    slot: int


# The sip link, from one call worker to another one; the dispatcher relays.


class ReplaceDialog(NamedTuple):
    """A call is to take over one of another slot (RFC 3891 section 3); answered by `ReplaceJudged`."""

    slot: int
    """That owns the dialog."""
    asking: int
    """The slot of the new call."""
    asked_for: str
    """Local tag of the new call."""
    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool


class ReplaceJudged(NamedTuple):
    """Whether a call may be taken over."""

    slot: int
    """Of the new call."""
    asked_for: str
    """Local tag of the new call."""
    status: int
    """200, or the refusal of the new call: 481, 486 or 603."""


class DialogReplaced(NamedTuple):
    """The new call is up: the one that it takes over is to be hung up."""

    slot: int
    """That owns the dialog."""
    call_id: str
    to_tag: str
    from_tag: str


# The control link, from the supervisor to a child.


class Start(NamedTuple):
    """Every process is linked: begin to take and place calls."""

    at: float
    """Monotonic time at which the schedule of a load begins."""


class Drain(NamedTuple):
    """Take and place no new calls; let live ones end."""

    within: float
    """Seconds after which live calls are hung up."""


class Stop(NamedTuple):
    """End now: hang up what is live, send the last snapshot, exit."""


class WorkerDown(NamedTuple):
    """A process is gone; what it owned is lost."""

    role: str
    slot: int
    incarnation: int


class Quarantined(NamedTuple):
    """A worker died again and again and is not started any more; for the processes that would wait for it."""

    slot: int
    role: str = "call"
    """call or media."""


class Retire(NamedTuple):
    """A process is to be replaced on purpose; sent to all. It takes no new work, and the others give it none.

    A call worker answers with `Retired`.
    """

    role: str
    """call or media."""
    slot: int


class SetRate(NamedTuple):
    """Change the commanded rate of a running load."""

    rate: float
    """Calls per second over all shards; 0 pauses."""
    at: float
    """Monotonic time from which it holds, the same for every call worker."""


# The control link, from a child to the supervisor.


class Ready(NamedTuple):
    """The process is linked to every other process it needs."""

    role: str
    slot: int


class Series(NamedTuple):
    """One cumulative value of one metric; inside a `Snapshot`."""

    name: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    """One number for a counter or gauge; for a histogram the sum, then one cumulative-from-start count per bucket."""


class Snapshot(NamedTuple):
    """The heartbeat of a process and everything it counted since it started."""

    number: int
    """1, 2, 3 … of this incarnation."""
    at: float
    """Monotonic time of the heartbeat."""
    live_calls: int
    """Calls (call worker) or streams (media worker) that are not over."""
    series: tuple[tuple[str, tuple[str, ...], tuple[float, ...]], ...]
    """`Series` as plain tuples."""
    declared: tuple[tuple[str, str, tuple[str, ...], str, tuple[float, ...]], ...] = ()
    """Name, kind, labels, help and buckets of each metric of user code."""


class CallFinished(NamedTuple):
    """One call is over and judged; a row of calls.csv and the input of the report."""

    call_id: str
    scenario: str
    role: str
    """uac or uas."""
    started: float
    """Monotonic time at which the call began: we began to place it, whether or not its INVITE could leave, or the
    peer's INVITE came."""
    ended: float
    """Monotonic time at which it was over: its BYE went or came, it was refused or given up."""
    lateness: float
    """Seconds from the planned start of an arrival until its INVITE left, without those that a scenario's run took
    before it placed the call; -1.0 = the call is no arrival, as one that came in or a further one of a run."""
    outcome: str
    """The label values of sipswarm_calls_finished_total."""
    code: int
    """Final SIP status of the INVITE; 0 = none."""
    phrase: str
    """Its reason phrase as the peer wrote it, at most `PHRASE_LENGTH` characters."""
    cause: str
    """why it ended: a `sipcore.session.events.Cause` value, a `request_loss.Loss` value, or the reason of a stream's
    end, by name"""
    closed: str
    """How its end was confirmed: confirmed, refused, unanswered or lost; empty when it was never answered."""
    post_dial_delay: float
    """Seconds from INVITE to the first 18x or final; -1.0 = none."""
    answer_delay: float
    """Seconds from INVITE to 2xx; -1.0 = none."""
    disconnect_delay: float
    """Seconds from our BYE to its final response; -1.0 = none."""
    duration: float
    """Seconds from answer to end; 0.0 = never answered."""
    ended_by: str
    """local, remote, expired; empty when it was never answered."""
    rtp_sent: int
    rtp_received: int
    rtp_lost: int
    jitter: float
    """Seconds; -1.0 = no media."""
    mos: float
    """MOS-CQE of the first stream, what never came included; -1.0 = no media, or a codec without values."""
    audible: float
    """Share of the sampled packets received that were louder than -50 dBm0; -1.0 = none was sampled."""
    digits_sent: int
    digits_received: int
    digits_missed: int
    digits_wrong: int
    failure: str
    """The expectation that was missed: a name of `failure_reasons.REASONS` or an assertion's text; empty = none."""
    media_due: float = -1.0
    """Seconds in which the peer's media was due, over all streams; -1.0 = none was."""
    media_present: float = -1.0
    """Seconds of those with media, all but gaps of more than 0.3 s; -1.0 = none was due."""
    media_gap: float = -1.0
    """Seconds of the longest gap while media was due; -1.0 = none was due."""
    rtp_due: int = 0
    """Packets that were due in that time."""
    rtp_missed: int = 0
    """Packets of those that never came."""
    rtp_discards: tuple[int, ...] = ()
    """RTP packets that came and were discarded, by `media.totals.DISCARD_REASONS`, copies left out; empty = none"""
    detail: str = ""
    """what the cause does not say, such as the file that a call was to play"""
    media_moved: float = 0.0
    """Seconds in which no media worker had its streams, because the one before was lost; until its end at most."""
    media_lost: bool = False
    """Its streams were at no media worker at its end, or were lost after it with what they had counted."""
    media_held: float = 0.0
    """Seconds of the answered call, over all streams, in which a hold or a direction left no media of the peer due."""
    media_removed: float = 0.0
    """Seconds of the answered call, over all streams, in which the peer had removed the media line."""
    remote_loss: float = -1.0
    """Share of the RTP packets sent that the peer reported as lost (RFC 3550 6.4.1), of the worst stream, 0 to 1;
    -1.0 = it reported none."""
    unreachable_share: float = -1.0
    """Share of the RTP packets sent while ICMP reported their destination as unreachable, of the worst stream, 0 to 1;
    -1.0 = none was sent."""
    planned: float = -1.0
    """Monotonic time at which the arrival was due by the plan of a load; -1.0 = the call is no arrival."""
    place: int = -1
    """Of the call in the roll of its slot, which the supervisor releases; -1 = it has none."""
    data_line: int = 0
    """Line in the file of `--data` of the row that the arrival has; 0 = none."""
    stood_still: float = 0.0
    """Seconds from the begin of the call to its row in which its call worker or the dispatcher stood still."""
    media_stood_still: float = 0.0
    """The same of the media worker of its streams."""
    network_down: float = 0.0
    """The same of its local address: no interface that was up and had its carrier had it."""
    rtp_refused: int = 0
    """Packets of its streams that the system refused to send, which count as sent."""


class CallSlice(NamedTuple):
    """What became of calls that a load placed, within a tenth of a second; what comes later for the same is added."""

    slice: int
    """Tenths of a second of the monotonic clock."""
    begun: int
    answered: int
    lateness: float
    """Greatest of the calls that were answered or failed, in seconds; -1.0 = none."""
    post_dial: tuple[float, ...]
    """`Spread.to_tuple` of the post-dial delays, in seconds, of the calls that were answered or failed."""
    answer: tuple[float, ...]
    """The same of the answer delays."""


class ScenarioCounted(NamedTuple):
    """What calls of a scenario file of SIPp have counted since the record before, of one call worker."""

    response_times: tuple[tuple[str, float, float], ...]
    """Of each response time that ended (`rtd`): its name, the monotonic time of its end, and its seconds."""
    counters: tuple[tuple[str, int], ...]
    """Of each `counter` that rose: its name, and by how much."""
    events: tuple[tuple[str, int], ...]
    """What else happened, by `labels.SCENARIO_EVENTS`, and how often."""
    said: tuple[tuple[float, str, int], ...] = ()
    """Of each unexpected message and each line of `warning`, where a file of errors is written: the monotonic time, a
    line for a person, and the status code of the message; 0 = it had none."""


class CallTraced(NamedTuple):
    """The SIP of a call that failed; comes before its `CallFinished`, for a few calls of a run only."""

    call_id: str
    left_out: int
    """Older messages that are not kept any more."""
    rungs: tuple[tuple[float, bool, str, tuple[str, int], tuple[str, int], bytes, str], ...]
    """`ladder.Rung` as plain tuples, secrets masked."""


class LoadFinished(NamedTuple):
    """This shard's plan is done: every arrival was started or held back, and is over; the figures count arrivals."""

    planned: int
    attempted: int
    held_back: int
    problem: str = ""
    """Why the plan could not even begin; empty = it could."""


class Reloaded(NamedTuple):
    """A call worker has read its user's file again, or kept what it had."""

    problem: str
    """Why it kept what it had; empty = the new file holds."""


class Retired(NamedTuple):
    """A call worker can be replaced: its calls are over, or the next process goes on with them."""


class Removing(NamedTuple):
    """A process that drains goes on beyond its usual time: registrars answer the removal of its registrations."""

    left: int
    """Removals without an answer."""


class Drained(NamedTuple):
    """No call is live any more; the process may be ended."""

    unclosed: int
    """Calls whose end no peer confirmed."""
