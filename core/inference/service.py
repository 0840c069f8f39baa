"""An image from outside to probabilities, with a run's network, in a process that is kept warm.

    predictor = Predictor(run_directory(run_id))          # in this process: imports the framework
    predictor.read(data, "seven.jpg").probabilities

    service = prediction_service("keras")            # in a process of its own
    service.warm(run_id)                                  # returns at once
    service.read(run_id, data, "seven.jpg")               # a Reading, or an Unreadable with its reason
    service.augment(images, transforms)                   # images as training changes them

The service's process is `python -m core.inference.service FRAMEWORK`. It imports the framework once, decodes
untrusted bytes where they can do no harm, shows augmentations by the code that trains, and ends when
its input does. Both directions carry frames of JSON and bytes, one image a frame: so whatever an image
does, it does to itself alone.
"""

import argparse
import json
import logging
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple, get_args

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from core.config import FRAMEWORK_TITLES, Framework
from core.datasets.decoding import decode
from core.engines import EngineModule, get_engine
from core.inference.preprocessing import Prepared, Step, prepare
from core.system.paths import data_dir, run_directory
from core.system.processes import fast_exit, spawn
from core.training import checkpoints
from core.training.metrics import probabilities

_log = logging.getLogger("duet.prediction")

_START_DEADLINE_S = 120.0
_ANSWER_DEADLINE_S = 20.0
_WAIT_DEADLINE_S = 60.0
_KEPT_PREDICTORS = 4


class Prediction(NamedTuple):
    """What a network made of an image.

    steps: how it was brought into the form of the training images, from the image as it came.
    pixels: what the network saw, uint8 `(H, W, C)`.
    probabilities: of each class, float32 `(classes,)`.
    class_names: of the data that the network learned from.
    damage: that newer weights were damaged, so that older ones read this, in a sentence; empty if they were not.
    """

    name: str
    steps: tuple[Step, ...]
    pixels: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    damage: str = ""


class Unreadable(NamedTuple):
    """An image without an answer, and the reason as a sentence that names it."""

    name: str
    reason: str


class Predictor:
    """The network of one run on the CPU of this process, in the framework it was trained in or in the other one."""

    def __init__(self, directory: Path, framework: Framework | None = None):
        """Load the checkpoint in a run's folder; it is built in `framework`, by default in its own.

        Raises:
            ValueError: if there is none, or it is damaged.
        """
        checkpoint = checkpoints.load(directory)
        self.description, self._damage = checkpoint.description, checkpoint.damage
        config = self.description.config.model_copy(update={"device": "cpu"})
        self._engine = _cpu_engine(framework or config.framework).Engine(
            config,
            self.description.architecture,
            self.description.input_shape,
            len(self.description.class_names),
            self.description.scaling,
        )
        self._engine.load_weights(checkpoint.weights)

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 `(N, classes)`, of uint8 images `(N, H, W, C)`."""
        return probabilities(self._engine.predict(pixels), self.description.architecture)

    def read(self, data: bytes, name: str) -> Prediction:
        """Read the bytes of an image file called `name`.

        Raises:
            ValueError: as `read_image` does.
        """
        prepared = read_image(data, name, self.description)
        (found,) = self.predict(prepared.pixels[np.newaxis])
        return Prediction(name, prepared.steps, prepared.pixels, found, self.description.class_names, self._damage)


def read_image(data: bytes, name: str, description: checkpoints.Description) -> Prepared:
    """Decode the bytes of an image file called `name` and bring it into the form a network was trained on.

    Raises:
        ValueError: if they are no image, or nothing is drawn on it; one sentence that names it.
    """
    image = decode(data, name)
    try:
        return prepare(image, description.preparation, description.input_shape, description.fit)
    except ValueError as error:
        sentence = str(error)
        raise ValueError(f"{name}: {sentence[:1].lower()}{sentence[1:]}") from None


class _Process(NamedTuple):
    """The warm process, its standard input and its standard output."""

    process: subprocess.Popen
    requests: IO[bytes]
    answers: IO[bytes]


class NoAnswerError(RuntimeError):
    """The warm process gave no answer; the message says why, and what to do."""


class PredictionService:
    """The warm process of one framework, seen from the dashboard; safe to share between threads.

    The process is started when it is first needed and anew whenever it has died. One that does not
    answer in time is killed.
    """

    def __init__(self, framework: Framework):
        self._framework = framework
        self._title = FRAMEWORK_TITLES[framework]
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._started = False
        self._warmed: str | None = None

    def warm(self, run_id: str | None = None) -> None:
        """See to it that the process starts, and has the network of a run at hand; come back at once."""
        # Whoever holds the lock has the process answer right now, so it is as warm as can be.
        if self._lock.acquire(blocking=False):
            try:
                process = self._living_process()
                if run_id not in (None, self._warmed):
                    with suppress(OSError):  # it has just died; the next image starts it anew
                        _send(process.requests, {"directory": str(run_directory(run_id))})
                    self._warmed = run_id
            finally:
                self._lock.release()

    def read(self, run_id: str, data: bytes, name: str) -> Prediction | Unreadable:
        """Read the bytes of an image file called `name` with the network of a run.

        The first answer waits for the framework's import, seconds; later ones take milliseconds.
        """
        try:
            answer, arrays = self._exchange({"directory": str(run_directory(run_id)), "name": name}, data)
        except NoAnswerError as error:
            return Unreadable(name, f"{name}: {error}")
        return _answer(name, answer, arrays)

    def augment(self, images: np.ndarray, transforms: np.ndarray) -> np.ndarray:
        """Return uint8 images `(N, H, W, C)` as this framework's training changes them, uint8 too.

        Raises:
            NoAnswerError: if the process is busy, cannot be started, or fails.
        """
        arrays = {"images": np.ascontiguousarray(images), "transforms": np.ascontiguousarray(transforms)}
        _, changed = self._exchange({"augment": True}, save_tensors(arrays))
        return load_tensors(changed)["images"]

    def _exchange(self, request: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
        """Send a request to the process, started if need be, and return its answer."""
        if not self._lock.acquire(timeout=_WAIT_DEADLINE_S):
            raise NoAnswerError(f"{self._title} is busy with other images; try again in a minute.")
        try:
            process = self._living_process()
            if not self._started:
                with _killed_after(_START_DEADLINE_S, process.process):
                    _receive(process.answers)
                self._started = True
            began = time.monotonic()
            with _killed_after(_ANSWER_DEADLINE_S, process.process):
                _send(process.requests, request, content)
                return _receive(process.answers)
        except (EOFError, OSError) as error:
            reason = self._loss(time.monotonic() - began if self._started else None)
            self._end()
            raise NoAnswerError(reason) from error
        except BaseException:
            self._end()  # half an exchange is lost; the next one must not begin in the middle of it
            raise
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the process; the next image would start it anew."""
        with self._lock:
            self._end()

    def _living_process(self) -> _Process:
        if self._process is None or self._process.process.poll() is not None:
            self._end()
            with _log_file(self._framework).open("ab") as log:
                process = spawn(
                    "core.inference.service", self._framework, log=log, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            assert process.stdin is not None, "it is a pipe"
            assert process.stdout is not None, "it is a pipe"
            self._process = _Process(process, process.stdin, process.stdout)
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.process.kill()
            self._process.process.wait()
            for stream in (self._process.requests, self._process.answers):
                with suppress(OSError):  # what it did not read any more
                    stream.close()
        self._process = None
        self._started = False
        self._warmed = None

    def _loss(self, seconds: float | None) -> str:
        """Say why there is no answer, `seconds` after the image was sent; None if it never was."""
        if seconds is None:
            return f"{self._title} could not be started; {_log_file(self._framework)} says why."
        if seconds >= _ANSWER_DEADLINE_S:
            return f"reading it took longer than {_ANSWER_DEADLINE_S:.0f} s, so it was given up; try a smaller image."
        return f"{self._title}'s process ended while it read this; try again, it starts anew."


_SERVICES = {framework: PredictionService(framework) for framework in get_args(Framework)}


def prediction_service(framework: Framework) -> PredictionService:
    """Return the service of a framework that all of this process shares."""
    return _SERVICES[framework]


def _log_file(framework: Framework) -> Path:
    return data_dir() / f"prediction-{framework}.log"


@contextmanager
def _killed_after(seconds: float, process: subprocess.Popen) -> Iterator[None]:
    """Kill a process that the block still waits for after so many seconds; both its pipes then end."""
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _answer(name: str, answer: dict[str, Any], arrays: bytes) -> Prediction | Unreadable:
    if "reason" in answer:
        return Unreadable(name, answer["reason"])
    found = load_tensors(arrays)
    steps = tuple(
        Step(title, explanation, found[f"step {i}"]) for i, (title, explanation) in enumerate(answer["steps"])
    )
    return Prediction(
        name, steps, found["pixels"], found["probabilities"], tuple(answer["class_names"]), answer["damage"]
    )


_LENGTHS = struct.Struct(">QQ")


def _send(stream: IO[bytes], message: dict[str, Any], content: bytes = b"") -> None:
    header = json.dumps(message).encode()
    stream.write(_LENGTHS.pack(len(header), len(content)) + header)
    stream.write(content)
    stream.flush()


def _receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Return the next message and its bytes.

    Raises:
        EOFError: if the stream ends instead.
    """
    lengths = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    header, content = (_exactly(stream, length) for length in lengths)
    return json.loads(header), content


def _exactly(stream: IO[bytes], length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content


def _cpu_engine(framework: Framework) -> EngineModule:
    """Import a framework for a single image at a time: the GPU's memory belongs to what trains."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    return get_engine(framework)


def _serve(framework: Framework, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer each request that names an image, in order; one without only loads the network."""
    engine_module = _cpu_engine(framework)
    _send(answers, {"ready": True})
    while True:
        try:
            request, data = _receive(requests)
        except EOFError:
            return
        if "augment" in request:
            _send(answers, {}, _augmented(engine_module, data))
            continue
        answer, arrays = _attempt(Path(request["directory"]), framework, request.get("name"), data)
        if "name" in request:
            _send(answers, answer, arrays)


def _augmented(engine_module: EngineModule, content: bytes) -> bytes:
    arrays = load_tensors(content)
    changed = engine_module.augment(arrays["images"], arrays["transforms"])
    return save_tensors({"images": np.clip(np.rint(changed), 0, 255).astype(np.uint8)})


def _attempt(directory: Path, framework: Framework, name: str | None, data: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        predictor = _current_predictor(directory, framework)
        if name is None:
            return {}, b""
        reading = predictor.read(data, name)
    except ValueError as error:
        return {"reason": str(error)}, b""
    except Exception as error:  # this process goes on, whatever an image or a checkpoint does to it
        _log.exception("Cannot read %r with %s", name, directory)
        return {"reason": f"{name}: it cannot be read ({type(error).__name__})."}, b""
    arrays = {f"step {i}": np.ascontiguousarray(step.image) for i, step in enumerate(reading.steps)}
    arrays |= {"pixels": np.ascontiguousarray(reading.pixels), "probabilities": reading.probabilities}
    steps = [(step.title, step.explanation) for step in reading.steps]
    answer = {"steps": steps, "class_names": reading.class_names, "damage": reading.damage}
    return answer, save_tensors(arrays)


def _current_predictor(directory: Path, framework: Framework) -> Predictor:
    """Return the predictor of a run's newest checkpoint, the one at hand unless it has been replaced."""
    manifest = directory / "checkpoint.json"
    written = manifest.stat() if manifest.exists() else None
    return _predictor(directory, framework, written and (written.st_ino, written.st_mtime_ns))


@lru_cache(maxsize=_KEPT_PREDICTORS)
def _predictor(directory: Path, framework: Framework, _written: tuple[int, int] | None) -> Predictor:
    predictor = Predictor(directory, framework)
    # The first prediction is slow: TensorFlow traces, PyTorch allocates. No visitor should wait for it.
    predictor.predict(np.zeros((1, *predictor.description.input_shape), np.uint8))
    return predictor


def main(arguments: list[str] | None = None) -> None:
    """Import a framework and answer until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m core.inference.service", description=__doc__.splitlines()[0])
    parser.add_argument("framework", choices=get_args(Framework))
    framework = parser.parse_args(arguments).framework
    logging.basicConfig(format="%(asctime)s %(message)s")
    # Libraries print to descriptor 1, so the answers get one of their own.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(BrokenPipeError):  # whoever asked has gone
        _serve(framework, sys.stdin.buffer, answers)
    fast_exit()


if __name__ == "__main__":
    main()
