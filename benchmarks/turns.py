"""Programs measured in turns, each in a process of its own: what slows the machine for a while slows all alike.

    found = in_turns({"ours": Program("benchmarks.ours:epochs", {"repeats": 5}), "peer": Program(...)})
    found["ours"].values("seconds")

A program is a function that takes a `Turns` and its options. It prepares and warms up, then measures when
it is its turn, as often as it likes:

    def epochs(turns: Turns, *, repeats: int) -> None:
        train()  # the first is slower, and no turn
        for _ in range(repeats):
            with turns.measure():
                train()

Parent and child talk in lines of JSON; what a program prints goes where its errors go.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from statistics import median
from typing import IO, Any

from core.system.paths import PROJECT

_WORDS = 2000
"""How many of its last characters a program that fails is quoted with."""


@dataclass(frozen=True)
class Program:
    """A function, as `module:name`, its options, which are plain JSON, and what its environment has of its own."""

    function: str
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Measured:
    """What a program measured, turn by turn, or why it could not."""

    turns: list[dict[str, Any]] = field(default_factory=list)
    failure: str = ""

    def values(self, name: str) -> list[float]:
        """Return a figure of each turn."""
        return [turn[name] for turn in self.turns]

    def median(self, name: str) -> float:
        """Return the median of a figure over the turns."""
        return median(self.values(name))


class Turns:
    """A program's side: it waits for its turns and says what it measured."""

    def __init__(self, requests: IO[str], answers: IO[str]):
        self._requests, self._answers = requests, answers
        self._began = 0.0

    def begin(self) -> None:
        """Wait for the next turn; its seconds count from now."""
        self._say({"ready": True})
        if not self._requests.readline():  # nobody is interested any more
            raise SystemExit(1)
        self._began = time.perf_counter()

    def end(self, *, until: float | None = None, **figures: Any) -> None:
        """End the turn, now or at an earlier `until` of `time.perf_counter`; `figures` win over its seconds."""
        seconds = (time.perf_counter() if until is None else until) - self._began
        self._say({"figures": {"seconds": seconds, **figures}})

    @contextmanager
    def measure(self) -> Iterator[dict[str, Any]]:
        """Measure the block as one turn; what is put into the dictionary is reported with its seconds."""
        figures: dict[str, Any] = {}
        self.begin()
        yield figures
        self.end(**figures)

    def _say(self, message: dict[str, Any]) -> None:
        print(json.dumps(message), file=self._answers, flush=True)


def in_turns(programs: Mapping[str, Program], environment: Mapping[str, str] | None = None) -> dict[str, Measured]:
    """Run programs until each has ended, letting one at a time measure, in their order, round after round.

    A program that fails is left out of the rounds that follow; the others go on.
    """
    found = {name: Measured() for name in programs}
    running: dict[str, _Child] = {}
    try:
        for name, program in programs.items():  # one after the other, so that none disturbs another's warm-up
            running[name] = _Child(program, {**os.environ, **(environment or {})})
            if not running[name].wait(found[name]):
                running.pop(name).close()
        while running:
            for name, child in list(running.items()):
                child.go()
                if not child.wait(found[name]):
                    running.pop(name).close()
    finally:
        for child in running.values():
            child.close()
    return found


class _Child:
    """A running program, seen from the parent."""

    def __init__(self, program: Program, environment: Mapping[str, str]):
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.turns", program.function, json.dumps(dict(program.options))],
            cwd=PROJECT,
            env={**environment, **program.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def go(self) -> None:
        """Let it have its turn; one that is gone meanwhile is found out by `wait`."""
        with suppress(BrokenPipeError):
            self._process.stdin.write("go\n")
            self._process.stdin.flush()

    def wait(self, measured: Measured) -> bool:
        """Note what it measures until it is ready for a turn, then return true, or until it has ended."""
        for line in self._process.stdout:
            message = json.loads(line)
            if "ready" in message:
                return True
            measured.turns.append(message["figures"])
        if self._process.wait():
            self._errors.seek(0)
            words = self._errors.read().decode(errors="replace")[-_WORDS:].strip()
            measured.failure = words.splitlines()[-1] if words else f"exit code {self._process.returncode}"
        return False

    def close(self) -> None:
        """End it, if it has not ended itself."""
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()


def main() -> None:
    """Run one program; standard output is kept for what it measures."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    function, options = sys.argv[1:]
    module, _, name = function.partition(":")
    getattr(importlib.import_module(module), name)(Turns(sys.stdin, answers), **json.loads(options))
    answers.flush()
    os._exit(0)  # unwinding a framework takes up to a second that nobody needs


if __name__ == "__main__":
    main()
