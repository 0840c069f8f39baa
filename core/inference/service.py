"""An image from outside to probabilities, with a run's network, in a process that is kept warm.

    predictor = Predictor(run_directory(run_id))          # in this process: imports the framework
    predictor.read(data, "seven.jpg").label

    service = prediction_service("keras")            # in a process of its own
    service.warm(run_id)                                  # returns at once; what is familiar to it is measured
    service.read(run_id, data, "seven.jpg")               # a Prediction, or an Unreadable with its reason
    service.augment(images, transforms)                   # images as training changes them

The service's process is `python -m core.inference.service FRAMEWORK`. It imports the framework once, decodes
untrusted bytes where they can do no harm, shows augmentations by the code that trains, and ends when
its input does. Both directions carry frames of JSON and bytes, one image a frame: so whatever an image
does, it does to itself alone.
"""

import argparse
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple, get_args

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from core.config import FRAMEWORK_TITLES, Framework
from core.engines import EngineModule, get_engine
from core.inference.answers import Found, Prediction, Unreadable
from core.inference.explanations import explain
from core.inference.predictor import NetworkPredictor
from core.inference.preprocessing import AUTOMATIC, Adjustments, Step
from core.inference.temperature import temperature_of
from core.networks.layers import layer_rows
from core.system.files import explain_refusal
from core.system.frames import receive_frame, send_frame
from core.system.paths import data_dir, place_in_home, run_directory
from core.system.processes import fast_exit, killed_after, spawn
from core.system.tensors import digest
from core.training import checkpoints, familiarity
from core.training.checkpoints import Description

_log = logging.getLogger("duet.prediction")

_START_DEADLINE_S = 120.0
_ANSWER_DEADLINE_S = 20.0
_MEASURE_DEADLINE_S = 120.0
_WAIT_DEADLINE_S = 60.0
_KEPT_PREDICTORS = 4

_LARGE = 5e7
"""What a network multiplies for an image, at least, where several threads work faster on one than they wait for one
another: a small one predicts seven times as fast on one thread as on two, on two cores that others use as well."""


class Predictor(NetworkPredictor):
    """The network of one run on the CPU of this process, in the framework it was trained in or in the other one."""

    def __init__(self, directory: Path, framework: Framework | None = None, epoch: int | None = None):
        """Load the checkpoint in a run's folder; it is built in `framework`, by default in its own.

        Args:
            epoch: whose weights predict, by default the checkpoint's. Those of another one have no temperature.

        Raises:
            ValueError: if there is none, or it is damaged.
        """
        checkpoint = checkpoints.load(directory, epoch)
        description, weights = checkpoint.description, digest(checkpoint.weights)
        config = description.config.model_copy(update={"device": "cpu", "threads": _threads(description)})
        self._engine = _cpu_engine(framework or config.framework).Engine(
            config,
            description.architecture,
            description.input_shape,
            len(description.class_names),
            description.scaling,
        )
        self._engine.load_weights(checkpoint.weights)
        super().__init__(
            self._engine,
            description,
            weights,
            temperature=temperature_of(directory.name) if epoch is None else 1.0,
            damage=checkpoint.damage,
            known=familiarity.read(directory, weights),
        )

    def explain(self, pixels: np.ndarray, method: str, label: int, layer: str | None = None) -> np.ndarray:
        """Return what each pixel does for a class, float64 `(H, W)`, of one uint8 image `(H, W, C)`.

        Raises:
            ValueError: as `core.inference.explanations.explain` does.
        """
        return explain(self._engine, self.description, pixels, method, label, layer)


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
        self._measured: set[str] = set()

    def warm(self, run_id: str | None = None) -> None:
        """See to it that the process starts, and has the network of a run at hand; come back at once."""
        # Whoever holds the lock has the process answer right now, so it is as warm as can be.
        if self._lock.acquire(blocking=False):
            try:
                process = self._living_process()
                if run_id not in (None, self._warmed):
                    with suppress(OSError):  # it has just died; the next image starts it anew
                        send_frame(process.requests, {"directory": str(run_directory(run_id))})
                    self._warmed = run_id
            finally:
                self._lock.release()

    def read(
        self,
        run_id: str,
        data: bytes,
        name: str,
        adjustments: Adjustments = AUTOMATIC,
        *,
        calibrated: bool = True,
        epoch: int | None = None,
    ) -> Prediction | Unreadable:
        """Read the bytes of an image file called `name` with the network of a run.

        The first answer waits for the framework's import, and of a run that nobody has asked before until it is
        measured what is familiar to it: seconds. Later ones take milliseconds.

        Args:
            calibrated: whether probabilities are those at the run's temperature, else they are the network's own.
            epoch: whose weights read, of those that the run keeps; by default the checkpoint's.
        """
        about = {"directory": str(run_directory(run_id))}
        request = about | {"name": name, "adjustments": asdict(adjustments), "calibrated": calibrated}
        request["epoch"] = epoch
        try:
            if run_id not in self._measured and epoch is None:
                self._measured.add(run_id)  # whatever comes of it, once: it shall keep no image from its answer
                with suppress(NoAnswerError):
                    self._exchange(about | {"measure": True}, b"", _MEASURE_DEADLINE_S)
            told, arrays = self._exchange(request, data)
        except NoAnswerError as error:
            return Unreadable(name, f"{name}: {error}")
        return _unpacked(name, told, arrays)

    def explain(
        self,
        run_id: str,
        pixels: np.ndarray,
        method: str,
        label: int,
        layer: str | None = None,
        epoch: int | None = None,
    ) -> np.ndarray:
        """Return what each pixel does for a class by the network of a run, see `core.inference.explanations.explain`.

        Args:
            epoch: as for `read`.

        Raises:
            ValueError: if it cannot be explained so.
            NoAnswerError: as `augment` does.
        """
        asked = {"method": method, "label": label, "layer": layer}
        content = save_tensors({"pixels": np.ascontiguousarray(pixels)})
        request = {"directory": str(run_directory(run_id)), "explain": asked, "epoch": epoch}
        told, found = self._exchange(request, content)
        if "reason" in told:
            raise ValueError(told["reason"])
        return load_tensors(found)["values"]

    def augment(self, images: np.ndarray, transforms: np.ndarray) -> np.ndarray:
        """Return uint8 images `(N, H, W, C)` as this framework's training changes them, uint8 too.

        Raises:
            NoAnswerError: if the process is busy, cannot be started, or fails.
        """
        arrays = {"images": np.ascontiguousarray(images), "transforms": np.ascontiguousarray(transforms)}
        _, changed = self._exchange({"augment": True}, save_tensors(arrays))
        return load_tensors(changed)["images"]

    def _exchange(
        self, request: dict[str, Any], content: bytes, deadline: float = _ANSWER_DEADLINE_S
    ) -> tuple[dict[str, Any], bytes]:
        """Send a request to the process, started if need be, and return its answer."""
        if not self._lock.acquire(timeout=_WAIT_DEADLINE_S):
            raise NoAnswerError(f"{self._title} is busy with other images; try again in a minute.")
        try:
            process = self._living_process()
            if not self._started:
                with killed_after(_START_DEADLINE_S, process.process):
                    receive_frame(process.answers)
                self._started = True
            began = time.monotonic()
            with killed_after(deadline, process.process):
                send_frame(process.requests, request, content)
                return receive_frame(process.answers)
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
            with _opened_log(self._framework) as log:
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
            return f"{self._title} could not be started; {place_in_home(_log_file(self._framework))} says why."
        if seconds >= _ANSWER_DEADLINE_S:
            return f"reading it took longer than {_ANSWER_DEADLINE_S:.0f} s, so it was given up; try a smaller image."
        return f"{self._title}'s process ended while it read this; try again, it starts anew."


_SERVICES = {framework: PredictionService(framework) for framework in get_args(Framework)}


def prediction_service(framework: Framework) -> PredictionService:
    """Return the service of a framework that all of this process shares."""
    return _SERVICES[framework]


def _opened_log(framework: Framework) -> IO[bytes]:
    """Open the log to add to; none where the disk is read-only, which shall not keep a network from predicting."""
    try:
        return _log_file(framework).open("ab")
    except OSError as error:
        if explain_refusal(error) is None:
            raise
        return Path(os.devnull).open("ab")


def _log_file(framework: Framework) -> Path:
    return data_dir() / f"prediction-{framework}.log"


def _packed(prediction: Prediction) -> tuple[dict[str, Any], bytes]:
    """Return what goes over the pipe: what is said, and all arrays."""
    arrays = {f"step {i}": np.ascontiguousarray(step.image) for i, step in enumerate(prediction.steps)}
    arrays["pixels"] = np.stack([each.pixels for each in prediction.found])
    arrays["probabilities"] = np.stack([each.probabilities for each in prediction.found])
    told = {
        "steps": [(step.title, step.explanation) for step in prediction.steps],
        "class_names": prediction.class_names,
        "damage": prediction.damage,
        "size": prediction.size,
        "found": [(each.box, each.score, each.touching) for each in prediction.found],
    }
    return told, save_tensors(arrays)


def _unpacked(name: str, told: dict[str, Any], content: bytes) -> Prediction | Unreadable:
    """Undo `_packed`."""
    if "reason" in told:
        return Unreadable(name, told["reason"])
    arrays = load_tensors(content)
    width, height = told["size"]
    return Prediction(
        name,
        tuple(Step(title, said, arrays[f"step {i}"]) for i, (title, said) in enumerate(told["steps"])),
        arrays["pixels"][0],
        arrays["probabilities"][0],
        tuple(told["class_names"]),
        told["damage"],
        tuple(
            Found(tuple(box), pixels, shares, score, touching)
            for (box, score, touching), pixels, shares in zip(
                told["found"], arrays["pixels"], arrays["probabilities"], strict=True
            )
        ),
        (width, height),
    )


def _threads(description: Description) -> int:
    """Return how many threads predict, 0 for one a core."""
    rows = layer_rows(description.architecture, description.input_shape, len(description.class_names))
    return 0 if sum(row.multiplications for row in rows) > _LARGE else 1


def _cpu_engine(framework: Framework) -> EngineModule:
    """Import a framework for a single image at a time: the GPU's memory belongs to what trains."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    return get_engine(framework)


def _serve(framework: Framework, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer each request in order; one that asks for nothing loads a network and measures what is familiar to it."""
    engine_module = _cpu_engine(framework)
    send_frame(answers, {"ready": True})
    while True:
        try:
            request, data = receive_frame(requests)
        except EOFError:
            return
        if "augment" in request:
            send_frame(answers, {}, _augmented(engine_module, data))
            continue
        if "explain" in request:
            send_frame(answers, *_explained(Path(request["directory"]), framework, request, data))
            continue
        told, arrays = _attempt(Path(request["directory"]), framework, request, data)
        if "name" in request or "measure" in request:
            send_frame(answers, told, arrays)


def _augmented(engine_module: EngineModule, content: bytes) -> bytes:
    arrays = load_tensors(content)
    changed = engine_module.augment(arrays["images"], arrays["transforms"])
    return save_tensors({"images": np.clip(np.rint(changed), 0, 255).astype(np.uint8)})


def _explained(
    directory: Path, framework: Framework, request: dict[str, Any], content: bytes
) -> tuple[dict[str, Any], bytes]:
    try:
        predictor = _current_predictor(directory, framework, request["epoch"])
        values = predictor.explain(load_tensors(content)["pixels"], **request["explain"])
    except ValueError as error:
        return {"reason": str(error)}, b""
    except Exception as error:  # this process goes on, whatever a network does to it
        _log.exception("Cannot explain with %s", directory)
        return {"reason": f"It cannot be explained ({type(error).__name__})."}, b""
    return {}, save_tensors({"values": np.ascontiguousarray(values)})


def _adjustments(sent: dict[str, Any]) -> Adjustments:
    return Adjustments(**sent | {"crop": tuple(sent["crop"])})  # JSON knows no tuples


def _attempt(
    directory: Path, framework: Framework, request: dict[str, Any], data: bytes
) -> tuple[dict[str, Any], bytes]:
    name = request.get("name")
    try:
        epoch = request.get("epoch")
        predictor = _current_predictor(directory, framework, epoch)
        if name is None:
            predictor.measure_familiarity(directory)
            return {}, b""
        if epoch is None:  # what is familiar is measured with the checkpoint's weights
            predictor.recall_familiarity(directory)
        adjustments = _adjustments(request["adjustments"])
        return _packed(predictor.read(data, name, adjustments, is_calibrated=request["calibrated"]))
    except ValueError as error:
        return {"reason": str(error)}, b""
    except Exception as error:  # this process goes on, whatever an image or a checkpoint does to it
        _log.exception("Cannot read %r with %s", name, directory)
        return {"reason": f"{name}: it cannot be read ({type(error).__name__})."}, b""


def _current_predictor(directory: Path, framework: Framework, epoch: int | None) -> Predictor:
    """Return the predictor of a run's newest checkpoint or kept epoch, the one at hand unless it has been replaced."""
    manifest = directory / "checkpoint.json"
    written = manifest.stat() if manifest.exists() else None
    return _predictor(directory, framework, epoch, written and (written.st_ino, written.st_mtime_ns))


@lru_cache(maxsize=_KEPT_PREDICTORS)
def _predictor(directory: Path, framework: Framework, epoch: int | None, _written: tuple[int, int] | None) -> Predictor:
    predictor = Predictor(directory, framework, epoch)
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
