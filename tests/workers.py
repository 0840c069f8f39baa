"""Training processes that train nothing and misbehave: `python -m tests.workers CONDUCT RUN_ID`.

With the conduct `spare` alone, one that is told on its standard input what to run, and ends well.
"""

import json
import os
import signal
import subprocess
import sys
import time

import psutil

from core.runs import Results, open_store
from core.system.processes import started_at

_SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# Ignored signals stay ignored in what a process starts.
_PARENT = [sys.executable, "-c", f"import subprocess; subprocess.run({_SLEEP})"]


def main(conduct: str, run_id: str = "", url: str = "") -> None:
    """Behave badly, or well but quickly."""
    if conduct == "spare":
        line = sys.stdin.readline()
        if not line:
            return
        run_id, url = json.loads(line)
    if conduct == "dies":
        sys.exit(3)
    if conduct == "silent":
        time.sleep(600)
    store = open_store(url or None)
    attempt = store.get(run_id).attempt
    process = psutil.Process()
    store.enter(run_id, attempt, pid=process.pid, process_started_at=started_at(process))
    if conduct == "stubborn":
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        subprocess.Popen(_SLEEP)
        subprocess.Popen(_PARENT, start_new_session=True)
    store.begin(run_id, attempt, total_steps=1)
    if conduct == "stubborn":
        time.sleep(600)
    if conduct == "halted":
        os.kill(process.pid, signal.SIGSTOP)  # by itself, as nobody could write if it were stopped while it writes
    if conduct in ("halted", "pausing"):
        while store.heartbeat(run_id, attempt) != "pause":
            time.sleep(0.02)
        store.finish(run_id, attempt, "paused", Results())
        return
    store.finish(run_id, attempt, "done", Results())


if __name__ == "__main__":
    main(*sys.argv[1:])
