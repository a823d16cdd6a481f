"""The options of SIPp 3.6.1 (`sipp -h`) and the further ones of 3.7: which are taken, and what to write instead.

Pure data, for the command line and its error messages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SippOption:
    """One option of SIPp."""

    values: int
    """How many arguments follow it."""
    taken: bool
    """Whether `load` and `robot` take it by this name when they run a scenario file."""
    text: str
    """Of one that is taken, what is different here, empty = nothing; of another one, what to write instead."""


def _taken(values: int, text: str = "") -> SippOption:
    return SippOption(values, True, text)


def _not(values: int, text: str) -> SippOption:
    return SippOption(values, False, text)


_SCTP: Final = "SCTP is not there; write -t udp, tcp or tls"
_ROTATION: Final = "logs are not rotated here; use logrotate, or the journal of systemd"
_WATCHDOG: Final = "the supervisor watches its processes by itself; drop it"
_ONE_PLACE: Final = "write --out DIRECTORY: all files of a run stand there"
_JUDGED: Final = "media is judged by the call"
_TLS_FILE: Final = "certificates are given by"
_EXTENDED_3PCC: Final = "give the files of all sides to one command: -sf a.xml -sf b.xml"

OPTIONS: Final[Mapping[str, SippOption]] = {
    # scenario files
    "-sd": _taken(1),
    "-sf": _taken(1),
    "-oocsf": _not(1, "run it beside by robot -sf FILE.xml, which takes every request outside of calls"),
    "-oocsn": _not(1, "run robot -sn ooc_default beside, which takes every request outside of calls"),
    "-sn": _taken(1),
    # addresses and protocols
    "-t": _taken(1, "udp, tcp or tls; u1, t1 and l1 mean the same, one socket or connection per call is not there"),
    "-i": _taken(1, "it is the address of media too"),
    "-p": _taken(1),
    "-bind_local": _not(0, "drop it: -i ADDRESS always binds"),
    "-ci": _not(1, "there is no control port; use the keys of the terminal, or SIGUSR1 to end the plan"),
    "-cp": _not(1, "there is no control port; use the keys of the terminal, or SIGUSR1 to end the plan"),
    "-max_socket": _not(1, "calls share one socket or connection; drop it"),
    "-max_reconnect": _not(1, "a connection that was lost is made anew when something is to be sent; drop it"),
    "-reconnect_close": _not(1, "calls survive the loss of a connection; drop it"),
    "-reconnect_sleep": _not(1, "a connection that was lost is made anew when something is to be sent; drop it"),
    "-rsa": _not(1, "write --proxy sip:HOST:PORT"),
    "-tls_cert": _not(1, f"{_TLS_FILE} --tls-cert FILE"),
    "-tls_key": _not(1, f"{_TLS_FILE} --tls-key FILE"),
    "-tls_ca": _not(1, f"{_TLS_FILE} --tls-ca FILE"),
    "-tls_crl": _not(1, "revocation lists are not read; leave out the peer's certificate from --tls-ca"),
    "-tls_version": _not(1, "TLS 1.2 and newer are negotiated; drop it"),
    "-multihome": _not(1, _SCTP),
    "-heartbeat": _not(1, _SCTP),
    "-assocmaxret": _not(1, _SCTP),
    "-pathmaxret": _not(1, _SCTP),
    "-pmtu": _not(1, _SCTP),
    "-gracefulclose": _not(1, _SCTP),
    # the whole
    "-v": _not(0, "write --version"),
    "-bg": _not(0, "write --quiet, and & behind the command, or run it as a service"),
    "-nostdin": _not(0, "drop it: keys are read from a terminal only"),
    "-plugin": _not(1, "write what the plugin does in a Python scenario"),
    "-sleep": _not(1, "write sleep SECONDS before the command"),
    "-skip_rlimit": _not(0, "drop it: the limit of descriptors is raised to the hard limit, which ulimit -Hn sets"),
    "-buff_size": _not(1, "sizes of buffers are those of the node; sipswarm doctor says which are too small"),
    "-sendbuffer_warn": _not(1, "drop it: what a socket does not take is counted, never fatal"),
    "-lost": _taken(1),
    "-key": _taken(2),
    "-set": _taken(2),
    "-tdmmap": _not(1, "write the circuits into an injection file, -inf"),
    "-dynamicStart": _not(1, "write numbers by PRINTF in an injection file, -inf"),
    "-dynamicMax": _not(1, "write numbers by PRINTF in an injection file, -inf"),
    "-dynamicStep": _not(1, "write numbers by PRINTF in an injection file, -inf"),
    # behaviour of calls
    "-aa": _taken(0),
    "-base_cseq": _taken(1),
    "-cid_str": _taken(1, "a number behind it leads to its process, where there are several"),
    "-d": _taken(1, "with its unit: 5s, 500ms"),
    "-deadcall_wait": _not(1, "drop it: messages of calls that have ended count as OutOfCallMsgs"),
    "-auth_uri": _taken(1),
    "-au": _not(1, "write --auth-user USER"),
    "-ap": _not(1, "write --auth-password-file FILE, so that the password is not on the command line"),
    "-s": _taken(1),
    "-default_behaviors": _taken(1),
    "-nd": _taken(0),
    "-pause_msg_ign": _taken(0),
    "-callid_slash_ign": _not(0, "drop it: the part of a Call-ID behind the last /// counts always"),
    # injection files
    "-inf": _taken(1),
    "-infindex": _taken(2),
    "-ip_field": _not(1, "one address per user is not there; run one load per address, with -i and --shard"),
    # media
    "-mi": _not(1, "media has the address of -i; drop it"),
    "-rtp_echo": _not(0, "write --media echo, also with -sf FILE.xml"),
    "-mb": _not(1, "drop it: packets of any size are echoed"),
    "-mp": _not(1, "write --rtp-ports FIRST-LAST: each call has a port of its own"),
    "-min_rtp_port": _not(1, "write --rtp-ports FIRST-LAST: each call has a port of its own"),
    "-max_rtp_port": _not(1, "write --rtp-ports FIRST-LAST: each call has a port of its own"),
    "-rtpcheck_debug": _not(0, f"{_JUDGED}; drop it"),
    "-srtpcheck_debug": _not(0, f"{_JUDGED}; drop it"),
    "-audiotolerance": _not(1, f"{_JUDGED}; write --expect-media"),
    "-videotolerance": _not(1, f"{_JUDGED}, and video is not there; drop it"),
    "-rtp_payload": _not(1, "write the payload type into rtp_stream of the file"),
    "-rtp_threadtasks": _not(1, "write --media-workers NUMBER"),
    "-rtp_buffsize": _not(1, "sizes of buffers are those of the node; sipswarm doctor says which are too small"),
    # rate
    "-r": _taken(1, "calls per second, also a fraction"),
    "-rp": _taken(1, "a bare number is milliseconds, as there; -r 7 -rp 2000 is -r 3.5"),
    "-rate_scale": _not(1, "the keys + - * / change the rate by 1 and 10"),
    "-rate_increase": _not(1, "write --ramp FROM:TO/SECONDS, or --profile FILE"),
    "-rate_max": _not(1, "write --ramp FROM:TO/SECONDS, or --profile FILE"),
    "-rate_interval": _not(1, "write --ramp FROM:TO/SECONDS, or --profile FILE"),
    "-no_rate_quit": _not(0, "write --duration or -m for how long the last rate is kept"),
    "-l": _taken(1, "arrivals beyond it are dropped and counted; without it there is no bound"),
    "-m": _taken(1),
    "-users": _not(1, "there is no closed model; write -l NUMBER and a rate above NUMBER / duration of a call"),
    # repetition and time
    "-recv_timeout": _taken(1, "a bare number is milliseconds, as there"),
    "-send_timeout": _not(1, "write timeout into send of the file"),
    "-timeout": _not(1, "write --duration SECONDS, and --drain for how long live calls may go on"),
    "-timeout_error": _not(0, "drop it: calls that were planned and not placed are failures"),
    "-max_retrans": _taken(1),
    "-max_invite_retrans": _taken(1),
    "-max_non_invite_retrans": _taken(1),
    "-nr": _taken(0),
    "-rtcheck": _taken(1),
    "-T2": _taken(1, "a bare number is milliseconds, as there"),
    # third parties
    "-3pcc": _not(1, "give both files to one load: -sf a.xml -sf b.xml"),
    "-master": _not(1, _EXTENDED_3PCC),
    "-slave": _not(1, _EXTENDED_3PCC),
    "-slave_cfg": _not(1, _EXTENDED_3PCC),
    # performance
    "-timer_resol": _not(1, "drop it: timers have no steps"),
    "-max_recv_loops": _not(1, "drop it: a node has queues with bounds and counters"),
    "-max_sched_loops": _not(1, "drop it: a node has queues with bounds and counters"),
    "-watchdog_interval": _not(1, _WATCHDOG),
    "-watchdog_reset": _not(1, _WATCHDOG),
    "-watchdog_minor_threshold": _not(1, _WATCHDOG),
    "-watchdog_major_threshold": _not(1, _WATCHDOG),
    "-watchdog_major_maxtriggers": _not(1, _WATCHDOG),
    "-watchdog_minor_maxtriggers": _not(1, _WATCHDOG),
    # traces and statistics
    "-f": _not(1, "the screen is drawn anew every second; drop it"),
    "-trace_stat": _taken(0),
    "-rfc3339": _not(
        0, "drop it: times in files are those of SIPp 3.6, in summary.json and records seconds since 1970"
    ),
    "-stat_delimiter": _taken(1),
    "-stf": _taken(1),
    "-fd": _taken(1, "a bare number is seconds, as there"),
    "-periodic_rtd": _not(0, "drop it: /metrics has histograms, and Prometheus takes their increase"),
    "-trace_msg": _taken(0, "passwords and digits are masked"),
    "-message_file": _taken(1),
    "-message_overwrite": _not(1, "drop it: the file of -trace_msg is begun anew"),
    "-trace_shortmsg": _taken(0),
    "-shortmessage_file": _taken(1),
    "-shortmessage_overwrite": _not(1, "drop it: the file of -trace_shortmsg is begun anew"),
    "-trace_counts": _not(
        0, "sipswarm_sip_requests_total and sipswarm_sip_responses_total on /metrics have its figures"
    ),
    "-trace_err": _taken(0),
    "-error_file": _taken(1),
    "-error_overwrite": _not(1, "drop it: the file of -trace_err is begun anew"),
    "-trace_error_codes": _taken(0),
    "-trace_calldebug": _not(0, "write --out DIRECTORY: failures/ has the messages of the calls that failed first"),
    "-calldebug_file": _not(1, _ONE_PLACE),
    "-calldebug_overwrite": _not(1, _ONE_PLACE),
    "-trace_screen": _not(0, "write --out DIRECTORY: report.html has the figures of the screen"),
    "-screen_file": _not(1, _ONE_PLACE),
    "-screen_overwrite": _not(1, _ONE_PLACE),
    "-trace_rtt": _taken(0),
    "-rtt_freq": _not(1, "drop it: the lines of -trace_rtt are written as they come"),
    "-trace_logs": _not(0, "drop it: what log writes is on stderr"),
    "-log_file": _not(1, "write 2> FILE: what log writes is on stderr"),
    "-log_overwrite": _not(1, "write 2> FILE, or 2>> FILE"),
    "-ringbuffer_files": _not(1, _ROTATION),
    "-ringbuffer_size": _not(1, _ROTATION),
    "-max_log_size": _not(1, _ROTATION),
}
"""By the name of the option, in the order of `sipp -h`."""
