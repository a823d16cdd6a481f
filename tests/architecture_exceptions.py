"""What does not keep the rules of `architecture`, each with its place and reason.

A list becomes shorter. What is new in one needs a reason that a reviewer accepts: first look for a part of the class or
file that can have a place of its own.
"""

LONG_FILES: dict[str, str] = {
    "actors/call/actor.py": "the one place where the events of session, media and move meet",
    "actors/counting/table.py": "a table: a row for each metric",
}
"""Files of more than 800 lines, each with the reason."""

TYPING_BLOCKS: set[str] = set()
"""Files with `if TYPE_CHECKING`."""

FOREIGN_ASSIGNMENTS = {
    "actors/cli/configuration.py": {
        "ctx.default_map",
        "error.ctx",
        "option.envvar",
    },
    "actors/diagnosis/log_lines.py": {
        "sys.excepthook",
        "sys.unraisablehook",
        "threading.excepthook",
    },
    "actors/load/junit.py": {
        "SubElement(case, 'failure', message=shown(text)).text",
    },
    "media/audio/codecs.py": {
        "context.layout",
        "encoder.format",
        "encoder.options",
        "frame.pts",
    },
    "media/receiver.py": {
        "reception.last_at",
    },
}
"""What a file assigns to attributes of objects whose classes stand elsewhere: those of libraries (click, ElementTree,
PyAV) and the hooks of Python are there to be assigned; the time of each packet is assigned without a call, because that
is hot."""

CRASH_BOUNDARIES = {
    "actors/call_worker/authentication.py": 1,
    "actors/diagnosis/crash_log.py": 1,
    "actors/diagnosis/log_lines.py": 1,
    "actors/handle/decisions.py": 2,
    "actors/handle/tasks.py": 1,
    "actors/load/scenario.py": 2,
    "actors/requests/incoming_request.py": 2,
    "actors/robots/file_robot.py": 1,
    "actors/runtime/actor_loop.py": 2,
}
"""How often a file catches every exception."""

WHY_CRASH_BOUNDARIES = {
    "actors/call_worker/authentication.py": "a user's lookup that fails costs its request only: 500",
    "actors/diagnosis/crash_log.py": "`CrashLog.attempt`: the boundary of code of no actor, and of media streams",
    "actors/diagnosis/log_lines.py": "a value that cannot say what it is costs its place in a log line, never its call",
    "actors/handle/decisions.py": "within a call a decision that fails costs only what was to be decided",
    "actors/handle/tasks.py": "`CallTasks`: the boundary of each coroutine that runs for a call",
    "actors/load/scenario.py": "what leaves a user's `setup` or run is its verdict: a failure by name, with its line",
    "actors/requests/incoming_request.py": "a handler that fails costs its request only: 500",
    "actors/robots/file_robot.py": "a `setup` that fails at a reload leaves the robot that is there",
    "actors/runtime/actor_loop.py": "`ActorLoop`: the boundary of actors and of coroutines",
}
"""Why each of them needs its own."""

READ_CAUSES = {
    "media/rtp/srtp.py": 1,
}
"""How often a file reads a cause out of a text. pylibsrtp says only in its text that a packet came before."""

LARGER = {
    "actors/agent/user_agent.py": {"imports": 32, "UserAgent methods": 29, "__init__ parameters": 26},
    "actors/bus/link.py": {
        "RouterLink attributes": 23,
        "DealerLink attributes": 23,
        "__init__ parameters": 13,
    },
    "actors/call/actor.py": {"imports": 18, "CallActor attributes": 24, "CallActor methods": 37},
    "actors/call/media.py": {"CallMedia attributes": 21, "CallMedia methods": 50},
    "actors/call_worker/agent_parts.py": {"imports": 13},
    "actors/call_worker/out_of_dialog.py": {"imports": 13, "__init__ parameters": 12},
    "actors/call_worker/call_metrics.py": {"imports": 13},
    "actors/call_worker/sip_input.py": {"imports": 13},
    "actors/call_worker/worker.py": {"imports": 40, "CallWorker attributes": 24, "CallWorker methods": 25},
    "actors/cli/load.py": {"imports": 18},
    "actors/cli/load_run.py": {"imports": 23},
    "actors/cli/run.py": {"imports": 16},
    "actors/handle/call.py": {"imports": 22, "Call attributes": 29, "Call methods": 72},
    "actors/handle/call_reading.py": {"CallReading methods": 26},
    "actors/handle/parameters.py": {"CallParameters attributes": 32},
    "actors/load/generator.py": {"imports": 13, "__init__ parameters": 11},
    "actors/load/report.py": {"imports": 13},
    "actors/load/scenario.py": {"imports": 15},
    "actors/load/sipp_files/call.py": {"FileCall methods": 23},
    "actors/load/sipp_files/calls.py": {"imports": 30},
    "actors/load/sipp_files/received_calls.py": {"imports": 17},
    "actors/load/sipp_files/receiving_file.py": {"imports": 17},
    "actors/process/applications.py": {"imports": 14},
    "actors/process/load_application.py": {"imports": 13},
    "actors/process/load_starters.py": {"imports": 15},
    "actors/process/roles.py": {"imports": 15},
    "actors/robots/agent.py": {"RobotAgent methods": 34},
    "actors/supervisor/child_process.py": {"ChildProcess methods": 21},
    "actors/load/tally.py": {"Tally attributes": 27},
    "actors/supervisor/supervisor.py": {"imports": 19, "Supervisor attributes": 35},
    "actors/transport/output.py": {"imports": 14},
    "sipcore/auth/digest_server.py": {"__init__ parameters": 15},
    "sipcore/session/invites.py": {"OutgoingInvite attributes": 29},
    "sipcore/session/invite_session.py": {"imports": 16, "InviteSession methods": 62},
    "sipcore/session/session_config.py": {"SessionConfig attributes": 31},
    "media/engine.py": {"imports": 17, "MediaEngine attributes": 23},
    "media/audio/jitter.py": {"PlayoutBuffer attributes": 25},
    "media/presence.py": {"Presence attributes": 34},
    "media/receiver.py": {"imports": 13, "Receiver attributes": 53, "Receiver methods": 25},
    "media/sender.py": {"Sender attributes": 43, "Sender methods": 22},
    "media/totals.py": {"MediaTotals attributes": 35},
    "actors/call_worker/call_factory.py": {"imports": 26},
    "sipcore/message/messages.py": {"Message methods": 39, "Request methods": 42, "Response methods": 41},
    "media/rtp/reception.py": {"Reception attributes": 29},
    "media/endpoint.py": {"imports": 14, "StreamEndpoint attributes": 33},
    "sipcore/session/session_record.py": {"imports": 13},
    "sipswarm/pytest_plugin/phones.py": {"KeepingAgent methods": 29},
}
"""Classes, functions and files beyond the limits, with their size."""

WHY_LARGER = {
    "actors/agent/user_agent.py": "the face for scripts, with the options of the man page",
    "actors/bus/link.py": "what a link is told by its two ends, all by keyword: names, bounds and callbacks",
    "actors/call/actor.py": "the one state machine of a call, with a method for each command",
    "actors/call/media.py": "offer and answer, streams and what is sent on them share the lines of one call",
    "actors/call_worker/call_factory.py": "composes a call of its session, media, handle and tables",
    "actors/call_worker/agent_parts.py": "a record: the parts of a call worker that user agents use",
    "actors/call_worker/out_of_dialog.py": "what its answers depend on is told by the call worker: a callback each",
    "actors/call_worker/call_metrics.py": "a row has a figure of every part of a call",
    "actors/call_worker/sip_input.py": "each record meets here what may turn it away, read it, or take it",
    "actors/call_worker/worker.py": "composes a call worker; methods of a role, and of `CallOwner`",
    "actors/cli/load.py": "a command of the user's: an option each",
    "actors/cli/load_run.py": "composes the run of a load",
    "actors/cli/run.py": "composes the run of a node",
    "actors/handle/call.py": "the face for scripts: the methods of the man page, with what they are made of",
    "actors/handle/call_reading.py": "what a script reads of a call: a property each",
    "actors/handle/parameters.py": "the options of the man page, as attributes",
    "actors/load/generator.py": "the plan of one worker meets its bound, its roll, its metrics and its end",
    "actors/load/report.py": "every figure of a run meets its verdict here",
    "actors/load/scenario.py": "a run of a user's file from its row of data to its judgement",
    "actors/load/sipp_files/call.py": "an actor, to which its media and the other side of its call report too",
    "actors/load/sipp_files/calls.py": "composes a call of its machine, its keywords, its route and its row",
    "actors/load/sipp_files/received_calls.py": "each request meets here what may refuse it, its call and its row",
    "actors/load/sipp_files/receiving_file.py": "composes a received call of its machine and its keywords",
    "actors/process/applications.py": "composes a call worker with the application of its configuration",
    "actors/process/load_application.py": "composes the load of a call worker",
    "actors/process/load_starters.py": "composes the arrivals of a load, one starter a kind",
    "actors/process/roles.py": "composes a process of its order: the role, its links and what was handed down",
    "actors/robots/agent.py": "the face for scripts, with the lists and timers of a robot",
    "actors/supervisor/child_process.py": "a process, its history and its roll",
    "actors/load/tally.py": "a count each",
    "actors/supervisor/supervisor.py": "owns all processes of a node, their sockets and their state",
    "actors/transport/output.py": "every way out for a message: datagrams, connections, names, and large requests",
    "media/endpoint.py": "hot: one object for each stream and its sockets, which joins all that works on them",
    "media/engine.py": "composes a media worker",
    "media/audio/jitter.py": "hot: counters and state of each packet that comes",
    "media/presence.py": "hot: counters and state of each packet that comes",
    "media/receiver.py": "hot: counters and state of each packet that comes",
    "media/rtp/reception.py": "hot: counters and state of each packet that comes, with those of its numbers",
    "media/sender.py": "hot: counters and state of each packet that goes",
    "media/totals.py": "a count each",
    "sipcore/auth/digest_server.py": "options of a server, all by keyword",
    "sipcore/message/messages.py": "a property for each header that calls and registrations read",
    "sipcore/session/invite_session.py": "the face of a session: its commands, which it delegates to its parts",
    "sipcore/session/invites.py": "an INVITE is a request under way, with its forks, reliable responses and timers",
    "sipcore/session/session_record.py": "reads and writes what the parts of a session have",
    "sipswarm/pytest_plugin/phones.py": "a user agent, the face for scripts, whose messages are kept",
    "sipcore/session/session_config.py": "what a session is told, a record with few functions",
}
"""Why each of these files has something beyond a limit, and is better left so."""
