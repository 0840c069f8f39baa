"""How many images a second `python -m core serve` answers, and what that takes.

    python -m benchmarks.serving RUN_ID
    python -m benchmarks.serving RUN_ID --requests 2000 --connections 16

Starts the service, sends test digits of MNIST as PNG, one a request, over so many connections that each send the next
one once they have an answer, and prints the rate, the latencies, the memory of all the service's processes and what
went wrong. The load generator shares the machine. Exit code 1 if an answer is missing or wrong in form, or fewer than
300 images a second are answered.
"""

import asyncio
import json
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np
import psutil

from core.cli.parsing import Parser, exit_with_error
from core.datasets import load
from core.datasets.inspection.gallery import png
from core.system.paths import PROJECT

_BAR = 300
_IMAGES = 500


class _Measured(NamedTuple):
    """What a load gave: seconds in all, those of each request, and a sentence an error."""

    seconds: float
    latencies: list[float]
    errors: list[str]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = Parser(prog="python -m benchmarks.serving", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run_id", metavar="RUN_ID", help="a run on MNIST; the bar is that of cnn-64-32-32")
    parser.add_argument("--requests", metavar="N", type=int, default=100_000)
    parser.add_argument("--connections", metavar="N", type=int, default=16)
    options = parser.parse_args(arguments)
    bodies = [png(image) for image in load("mnist").test.images[:_IMAGES]]
    service = subprocess.Popen(
        [sys.executable, "-m", "core", "serve", options.run_id, "--port", "0"],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert service.stdout is not None, "it is a pipe"
        line = service.stdout.readline()
        if not line:
            exit_with_error(service.communicate()[1].strip())
        port = int(line.split(",")[0].rpartition(":")[2])
        # The first requests of a connection and a process are slower, and not what is asked.
        asyncio.run(_load(port, bodies, min(options.requests, 200), options.connections))
        idle = _memory(service)
        measured = asyncio.run(_load(port, bodies, options.requests, options.connections))
        loaded = _memory(service)
    finally:
        service.terminate()
        service.communicate()
    return _report(measured, options.connections, idle, loaded, service.returncode)


async def _load(port: int, bodies: list[bytes], count: int, connections: int) -> _Measured:
    latencies: list[float] = []
    errors: list[str] = []
    numbers = iter(range(count))

    async def send_one_after_the_other() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            body = bodies[number % len(bodies)]
            began = time.perf_counter()
            writer.write(_HEAD % (port, len(body)) + body)
            try:
                status, answer = await _receive(reader)
            except (OSError, asyncio.IncompleteReadError) as error:
                errors.append(f"request {number}: {error!r}")
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                continue
            latencies.append(time.perf_counter() - began)
            if status != 200 or "label" not in json.loads(answer)[0]:
                errors.append(f"request {number}: {status} {answer[:200]!r}")
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*[send_one_after_the_other() for _ in range(connections)])
    return _Measured(time.perf_counter() - began, latencies, errors)


_HEAD = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n"


async def _receive(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(length)


def _memory(service: subprocess.Popen) -> int:
    """Return the resident bytes of the service and its workers; what they share counts for each."""
    process = psutil.Process(service.pid)
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))


def _report(measured: _Measured, connections: int, idle: int, loaded: int, code: int) -> int:
    rate = len(measured.latencies) / measured.seconds
    p50, p99 = np.percentile(measured.latencies, [50, 99]) * 1e3
    print(f"{rate:,.0f} images/s over {connections} connections, of {len(measured.latencies):,} requests; bar {_BAR}")
    print(f"latency {p50:.1f} ms in the median, p99 {p99:.1f} ms, at most {max(measured.latencies) * 1e3:.0f} ms")
    print(f"memory {idle / 2**20:.0f} MiB before, {loaded / 2**20:.0f} MiB after")
    print(f"{len(measured.errors)} errors; the service ended with exit code {code}")
    for error in measured.errors[:10]:
        print(f"  {error}")
    return 0 if rate >= _BAR and not measured.errors and code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
