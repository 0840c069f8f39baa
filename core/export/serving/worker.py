"""A process that answers one request after the other: `core.export.serving.workers` starts it.

It is given a network's description, its ONNX graph and what is familiar to it first, and then bodies of requests; it
answers each with a status and JSON. Whatever a file does to it, it does to this process alone.
"""

import json
import logging
import os
import sys
from contextlib import suppress
from typing import IO, Any

import numpy as np

from core.export.serving.network import OnnxNetwork
from core.export.serving.requests import RequestError, images_of
from core.inference.answers import Prediction, Unreadable
from core.inference.prediction_json import prediction_json
from core.inference.predictor import NetworkPredictor
from core.system.frames import receive_frame, send_frame
from core.system.processes import fast_exit
from core.training.checkpoints import Description
from core.training.familiarity import from_bytes

_log = logging.getLogger("duet.serving")


def answer(predictor: NetworkPredictor, body: bytes, content_type: str) -> tuple[int, dict | list]:
    """Return the status and the JSON that answer a body: an item an image, or an `error` where none can be read."""
    try:
        answers = [_read(predictor, name, data) for name, data in images_of(body, content_type)]
    except RequestError as error:
        return error.status, {"error": str(error)}
    if all(isinstance(one, Unreadable) for one in answers):
        return 422, {"error": next(one.reason for one in answers if isinstance(one, Unreadable))}
    return 200, [prediction_json(one) for one in answers]


def _read(predictor: NetworkPredictor, name: str, data: bytes) -> Prediction | Unreadable:
    try:
        return predictor.read(data, name)
    except ValueError as error:
        return Unreadable(name, str(error))
    except Exception as error:  # this process goes on, whatever an image does to it
        _log.exception("Cannot read %r", name)
        return Unreadable(name, f"{name}: it cannot be read ({type(error).__name__}).")


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    start, graph = receive_frame(requests)
    _, known = receive_frame(requests)
    predictor = NetworkPredictor(
        OnnxNetwork(graph, threads=1),  # there is a process a core
        Description.model_validate(start["description"]),
        temperature=start["temperature"],
        damage=start["damage"],
        known=from_bytes(known) if known else None,
    )
    predictor.predict(np.zeros((1, *predictor.description.input_shape), np.uint8))  # the first one is slow
    send_frame(answers, {"ready": True})
    while True:
        request, body = receive_frame(requests)
        status, content = answer(predictor, body, request["content_type"])
        send_frame(answers, {"status": status}, _encoded(content))


def _encoded(content: Any) -> bytes:
    return json.dumps(content).encode()


def main() -> None:
    """Answer until the input ends."""
    logging.basicConfig(format="%(asctime)s %(message)s")
    # Libraries print to descriptor 1, so the answers get one of their own.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(EOFError, BrokenPipeError):  # whoever asked has gone
        _serve(sys.stdin.buffer, answers)
    fast_exit()


if __name__ == "__main__":
    main()
