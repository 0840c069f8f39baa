"""Serve a run's network over HTTP, from its ONNX export.

    python -m core serve 3f9c0a1b2c3d
    python -m core serve 3f9c0a1b2c3d --port 9000 --workers 4
    curl --data-binary @seven.png http://127.0.0.1:8600/predict

It serves this machine only, unless `--host` names another address. Ctrl-C ends it once it has answered what it was
asked.
"""

import errno
import logging
import signal
import socket
import sys

import uvicorn
from fastapi import FastAPI

from core import __version__
from core.cli.parsing import command_parser, exit_with_error, show
from core.engines import available_cores
from core.export import onnx
from core.export.serving.app import Info, make_app
from core.export.serving.network import OnnxNetwork
from core.export.serving.workers import Served, WorkerError, Workers
from core.inference.predictor import NetworkPredictor
from core.inference.temperature import temperature_of
from core.runs import open_store
from core.system.origins import Exposure
from core.system.paths import run_directory
from core.system.tensors import digest
from core.system.text import quoted
from core.training import checkpoints
from core.training.familiarity import to_bytes

PORT = 8600

_MOST_WORKERS = 64
_QUEUE = 128  # connections that wait to be taken
_END_DEADLINE_S = 20


def main(arguments: list[str] | None = None) -> int:
    """Load the network, say where it is, and answer until the process is told to end."""
    parser = command_parser("serve", __doc__)
    parser.add_argument("run_id", metavar="RUN_ID", help="the run; python -m core runs lists them")
    parser.add_argument(
        "--host", metavar="ADDRESS", default="127.0.0.1", help="by default 127.0.0.1: this machine only"
    )
    parser.add_argument("--port", metavar="N", type=int, default=PORT, help=f"by default {PORT}; 0 takes a free one")
    parser.add_argument("--workers", metavar="N", type=int, help="processes that predict, by default one a core")
    parser.add_argument(
        "--uncalibrated",
        action="store_true",
        help="answer with the network's own probabilities, not those at the temperature that suits its validation "
        "images",
    )
    options = parser.parse_args(arguments)
    workers_wanted = available_cores() if options.workers is None else options.workers
    if not 0 <= options.port < 2**16:
        exit_with_error(f"Port (--port): expected 0 to 65535, received {options.port}.")
    if not 1 <= workers_wanted <= _MOST_WORKERS:
        exit_with_error(f"Workers (--workers): expected 1 to {_MOST_WORKERS}, received {workers_wanted}.")
    logging.basicConfig(format="%(asctime)s %(message)s")
    try:
        run = open_store().get(options.run_id)
        exposure = Exposure.from_environment()
        served = _prepare(run.id, is_calibrated=not options.uncalibrated)
    except ValueError as error:
        exit_with_error(str(error))
    with _listening(options.host, options.port) as listener:
        try:
            with Workers(served, workers_wanted) as workers:
                app = make_app(Info.of(run.id, served, __version__), workers, exposure)
                show(f"Serving run {run.id} at {_address(listener)}, described at {_address(listener)}/docs.")
                sys.stdout.flush()  # whoever started it may wait for this line
                _serve(app, listener)
        except WorkerError as error:
            exit_with_error(str(error))
    return 0


def _prepare(run_id: str, *, is_calibrated: bool) -> Served:
    """Return what predicts for a run; where it has not been measured what is familiar to it, that takes some seconds.

    Raises:
        ValueError: if the run has no checkpoint, or it is damaged.
    """
    directory = run_directory(run_id)
    checkpoint = checkpoints.load(directory)
    graph = onnx.build(run_id, checkpoint, features=True)
    temperature = temperature_of(run_id) if is_calibrated else 1.0
    predictor = NetworkPredictor(OnnxNetwork(graph), checkpoint.description, digest(checkpoint.weights))
    predictor.measure_familiarity(directory)
    return Served(checkpoint, graph, temperature, to_bytes(predictor.known) if predictor.known else b"")


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; ends with a sentence where that cannot be."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        exit_with_error(
            f"Host (--host): expected an address of this machine, received {quoted(host)} ({error.strerror})."
        )
    try:
        # A port that was just in use may be taken again; on Windows the option would share one that still is.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, sys.platform != "win32")
        listener.bind(address)
        listener.listen(_QUEUE)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            exit_with_error(f"Port (--port): {port} is in use; choose another one, or 0 for any that is free.")
        exit_with_error(f"Host (--host): {host} port {port} cannot be served: {error.strerror}.")
    return listener


def _address(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _serve(app: FastAPI, listener: socket.socket) -> None:
    """Answer until Ctrl-C or SIGTERM; what is being answered then is finished first."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # anybody could write those
            timeout_graceful_shutdown=_END_DEADLINE_S,
        )
    )
    # Once the server has ended it raises the signal again, which then is to do no more.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
