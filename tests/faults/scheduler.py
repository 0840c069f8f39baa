"""The real scheduler, told otherwise in what a case needs: `python -m tests.faults.scheduler JSON`.

{"worker": ["tests.workers", "stubborn"]}       # start these training processes instead of core.jobs.worker's
{"deadlines": {"_STOP_GRACE_S": 0.5}}           # wait shorter than a day's work would
{"clock": 86400}                                # live in a clock that is a day fast
"""

import json
import subprocess
import sys
import time

from core.jobs import scheduler
from core.jobs.warm_pool import WarmPool
from core.system.processes import spawn


def main() -> None:
    """Schedule as `core.jobs.scheduler` does."""
    options = json.loads(sys.argv[1])
    for name, seconds in options.get("deadlines", {}).items():
        assert hasattr(scheduler, name), name
        setattr(scheduler, name, seconds)
    if worker := options.get("worker"):
        module, *conduct = worker

        def start(_module: str, *arguments: str, log: int) -> subprocess.Popen:
            return spawn(module, *conduct, *arguments, log=log)

        scheduler.spawn = start
        WarmPool.want = lambda _spares, _configs: None  # they would train as nothing was said
    if ahead := options.get("clock"):
        true = time.time
        time.time = lambda: true() + ahead
    scheduler.main()


if __name__ == "__main__":
    main()
