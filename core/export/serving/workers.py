"""The processes that decode and predict for the service, so that no image keeps or kills the one that answers HTTP.

with Workers(served, count=2) as workers:
    status, body = await workers.answer(body, content_type)
"""

import asyncio
import subprocess
import sys
from contextlib import suppress
from typing import IO, NamedTuple, Self

import anyio.to_thread

from core.system.frames import receive_frame, send_frame
from core.system.processes import killed_after, spawn
from core.training.checkpoints import Checkpoint

_START_DEADLINE_S = 60.0
_ANSWER_DEADLINE_S = 30.0


class Served(NamedTuple):
    """What each process predicts with.

    Attributes:
        graph: the ONNX export that gives features, as bytes.
        temperature: at which probabilities are calibrated; 1 for the network's own.
        familiarity: what is familiar to the network, as a file's content; empty where that is not known.
    """

    checkpoint: Checkpoint
    graph: bytes
    temperature: float
    familiarity: bytes


class WorkerError(RuntimeError):
    """A process gave no answer; the message says why in a sentence."""


class _Worker:
    """One process, started anew when it has ended. Used by one thread at a time."""

    def __init__(self, served: Served):
        self._served = served
        self._process: subprocess.Popen | None = None
        self._is_late = False

    def launch(self) -> None:
        """Start the process; come back at once."""
        self._process = spawn(
            "core.export.serving.worker", log=sys.stderr, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with suppress(BrokenPipeError):  # it has just died, which `finish_launch` says
            checkpoint = self._served.checkpoint
            start = {
                "description": checkpoint.description.model_dump(mode="json"),
                "damage": checkpoint.damage,
                "temperature": self._served.temperature,
            }
            send_frame(self._pipe("stdin"), start, self._served.graph)
            send_frame(self._pipe("stdin"), {}, self._served.familiarity)

    def finish_launch(self) -> None:
        """Wait until the process is ready.

        Raises:
            WorkerError: if it could not start.
        """
        assert self._process is not None, "it is launched first"
        try:
            with killed_after(_START_DEADLINE_S, self._process):
                receive_frame(self._pipe("stdout"))
        except (EOFError, OSError):
            self.end()
            raise WorkerError("The network could not be loaded into onnxruntime; what was printed says why.") from None

    def exchange(self, content_type: str, body: bytes) -> tuple[int, bytes]:
        """Return the status and the JSON that answer a body.

        Raises:
            WorkerError: if the process ends meanwhile, twice, or is given up.
        """
        self._is_late = False
        for _ in range(2):  # the process may have been ended while it had nothing to do
            if self._process is None:
                self.launch()
                self.finish_launch()
            try:
                send_frame(self._pipe("stdin"), {"content_type": content_type}, body)
                answer, content = receive_frame(self._pipe("stdout"))
            except (EOFError, OSError):
                self.end()
            else:
                return answer["status"], content
            if self._is_late:
                raise WorkerError(f"Reading took longer than {_ANSWER_DEADLINE_S:.0f} s: send fewer or smaller images.")
        raise WorkerError("The images ended the process that read them: send them in another format, or one by one.")

    def give_up(self) -> None:
        """End the process, whoever waits for its answer."""
        self._is_late = True
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """End the process, and close its pipes."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for name in ("stdin", "stdout"):
            with suppress(OSError):  # what it did not read any more
                self._pipe(name).close()
        self._process = None

    def _pipe(self, name: str) -> IO[bytes]:
        return getattr(self._process, name)


class Workers:
    """So many processes with what is served; each answers one request at a time."""

    def __init__(self, served: Served, count: int):
        self._workers = [_Worker(served) for _ in range(count)]
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for worker in self._workers:
            self._idle.put_nowait(worker)

    def __enter__(self) -> Self:
        """Start all processes and wait until they are ready.

        Raises:
            WorkerError: if one cannot start.
        """
        try:
            for worker in self._workers:
                worker.launch()
            for worker in self._workers:
                worker.finish_launch()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    async def answer(self, body: bytes, content_type: str) -> tuple[int, bytes]:
        """Return the status and the JSON that answer a body, once a process has time for it.

        Raises:
            WorkerError: if the process ends, or takes too long and is ended.
        """
        worker = await self._idle.get()
        deadline = asyncio.get_running_loop().call_later(_ANSWER_DEADLINE_S, worker.give_up)
        try:
            return await anyio.to_thread.run_sync(worker.exchange, content_type, body)
        finally:
            deadline.cancel()
            self._idle.put_nowait(worker)
