"""Every benchmark, one after the other, nothing else beside: `make bench`, or `python -m tests.bench [--quick]`.

Each prints its own table. What the project claims is a ratio to a peer measured in the same run; the last lines put
the whole in-memory call beside SIPp's UAC at 3,000 calls/s. Wants sipp, perl with Net::SIP and gcc (`make peers`).
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

OUT = Path(__file__).parent / "out"
TARGET = 4.5
"""the complete in-memory call, both sides, may cost so many times the CPU of a SIPp UAC call at 3,000 calls/s"""


def run(module: str, *arguments: str) -> None:
    """Run one benchmark in a process of its own."""
    print(f"\n== {module} {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", f"tests.bench.{module}", *arguments], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="shorter runs, for a look and not for a claim")
    options = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    run("bench_sip_parse")
    run("bench_sdp")
    run("bench_sip_call")
    run("bench_message_guards")
    run("bench_sip_hop", "--seconds", "2" if options.quick else "5")
    run("bench_signalling", "--calls", "5000" if options.quick else "15000")
    calls = ("--calls", "5000") if options.quick else ()
    run("bench_files", *calls, "--json", str(OUT / "files.json"))
    only = ("--only", "net_sip,workers,memory") if options.quick else ()
    run("bench_node", *only, "--json", str(OUT / "node.json"))
    run("bench_idle", "--seconds", "10" if options.quick else "30")
    run("bench_inband")
    run("bench_media", "--seconds", "4" if options.quick else "10", "--json", str(OUT / "media.json"))
    if not options.quick:
        run("bench_media", "--hold", "--json", str(OUT / "media_hold.json"))
    call = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_sip_call", "--json"], check=True, capture_output=True, text=True
    )
    ours = json.loads(call.stdout)
    rows = json.loads((OUT / "signalling.json").read_text())
    sipp = next((row["sipp_uac_us"] for row in rows if row["rate"] == 3000), None)
    print(f"\nin-memory call: {ours}")
    if sipp is not None and "call_us" in ours:
        print(f"  = {ours['call_us'] / sipp:.2f} x SIPp's UAC at 3,000 calls/s ({sipp:.0f} us); target {TARGET} x")


if __name__ == "__main__":
    main()
