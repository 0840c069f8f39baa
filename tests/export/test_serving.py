"""`python -m core serve`: predictions over HTTP as on the command line, and a sentence for all that goes wrong."""

import json
import os
import pickle
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.datasets import load
from core.datasets.inspection.gallery import png
from core.export.serving.app import MAX_REQUESTS
from core.export.serving.page import page
from core.export.serving.requests import MAX_JSON_BYTES, MOST_IMAGES, RequestError, images_of
from core.inference.prediction_json import prediction_json
from core.inference.service import Predictor
from core.inference.temperature import temperature_of
from core.runs import open_store
from core.system.paths import PROJECT, run_directory
from core.training.strangers import make_strangers
from tests.bad_files import bad_files
from tests.datasets.test_decoding import GOLDEN, png_of
from tests.export.test_report import read
from tests.hostile_names import HOSTILE_NAMES
from tests.image_modes import in_all_modes
from tests.waiting import wait_for

NO_PIXELS = ("-1", "256", "1.5", "true", "NaN", "1e999", "null", '"1"', "9" * 4000)
GUIDE = (PROJECT / "docs" / "serving.md").read_text()


class Service(NamedTuple):
    """A served run."""

    run_id: str
    process: subprocess.Popen
    client: httpx.Client

    @property
    def port(self) -> int:
        return self.client.base_url.port

    @property
    def workers(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def duet_home(trained_home: Path) -> Iterator[Path]:
    """The home with trained runs, instead of an empty one for each test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_HOME", str(trained_home))
        yield trained_home


@pytest.fixture(scope="module")
def run_id(duet_home: Path) -> str:
    runs = open_store(f"sqlite:///{duet_home / 'duet.sqlite3'}").find(states=("done",))
    return next(run.id for run in runs if run.config.framework == "keras")


def start(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "core", "serve", *arguments]
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, a pipe that nobody reads would fill up
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=errors, text=True)
    process.stderr = errors
    return process


def errors_of(process: subprocess.Popen) -> str:
    """Return what a process that has ended has printed to stderr."""
    process.stderr.seek(0)
    return process.stderr.read()


def address_of(process: subprocess.Popen) -> str:
    line = process.stdout.readline()
    assert line, process.wait(30) or errors_of(process)
    return re.search(r"http://[^,]+", line)[0]


@pytest.fixture(scope="module")
def service(run_id: str) -> Iterator[Service]:
    process = start(run_id, "--port", "0", "--workers", "2")
    with httpx.Client(base_url=address_of(process), timeout=60) as client:
        yield Service(run_id, process, client)
    process.terminate()
    assert process.wait(30) == 0
    assert "Traceback" not in errors_of(process)


@pytest.fixture(scope="module")
def digits(duet_home: Path) -> np.ndarray:  # noqa: ARG001, where the data set is
    return load("mnist").test.images[:20]


def predict(service: Service, body: bytes, content_type: str = "image/png") -> httpx.Response:
    return service.client.post("/predict", content=body, headers={"Content-Type": content_type})


def test_answers_are_those_of_the_command_line(service, digits):
    predictor = Predictor(run_directory(service.run_id), "pytorch")
    predictor.measure_familiarity(run_directory(service.run_id))
    strangers = make_strangers((28, 28, 1), 100, predictor.description.class_names, np.random.default_rng(3))
    told = []
    for image in (*digits, *strangers[1::5]):  # the signs; in noise, no stroke is found
        answer = predict(service, png(image))

        expected = prediction_json(predictor.read(png(image), "image"))
        assert answer.status_code == 200
        (item,) = answer.json()
        assert list(item) == list(expected)
        for key in ("label", "unfamiliar", "warnings"):
            assert item[key] == expected[key]
        assert item["score"] == pytest.approx(expected["score"], abs=1e-3)
        np.testing.assert_allclose(*(list(each["probabilities"].values()) for each in (item, expected)), atol=1e-5)
        told.append(item["unfamiliar"])
    assert sum(told[20:]) > sum(told[:20]), "strangers are told from digits"


def test_what_is_served_is_told(service):
    info = service.client.get("/info").json()

    assert info["temperature"] == temperature_of(service.run_id) != 1
    assert info["tells_unfamiliar"]


def test_files_and_pixels_are_answered_alike(service, digits):
    files = [("images", (f"{i}.png", png(digit))) for i, digit in enumerate(digits)]
    alone = [predict(service, png(digit), "application/octet-stream").json()[0] for digit in digits]

    form = service.client.post("/predict", files=files).json()
    grey = service.client.post("/predict", json={"images": digits[..., 0].tolist()}).json()
    colour = service.client.post("/predict", json={"images": digits.repeat(3, axis=3).tolist()}).json()

    assert [item["file"] for item in form] == [f"{i}.png" for i in range(len(digits))]
    assert [item["file"] for item in grey] == [f"image {i + 1}" for i in range(len(digits))]
    for items in (form, grey, colour):
        assert [item["probabilities"] for item in items] == [item["probabilities"] for item in alone]


@pytest.mark.parametrize("name", list(bad_files()))
def test_a_bad_file_gets_a_sentence(service, digits, name):
    data, reason = bad_files()[name]

    alone = service.client.post("/predict", files={"images": (name, data)})
    beside = service.client.post("/predict", files=[("images", (name, data)), ("images", ("7.png", png(digits[0])))])

    assert alone.status_code == 422
    assert alone.json()["error"].startswith(f"{name}: ")
    assert reason in alone.json()["error"]
    assert beside.status_code == 200
    assert beside.json()[0] == {"file": name, **alone.json()}
    assert "label" in beside.json()[1]


def test_a_pixel_bomb_takes_neither_time_nor_memory(service):
    before = max(worker.memory_info().rss for worker in service.workers)

    answer = predict(service, png_of(50_000, 50_000))

    assert answer.status_code == 422
    assert "expected at most 64 megapixels, received more than" in answer.json()["error"]
    assert max(worker.memory_info().rss for worker in service.workers) - before < 200 * 2**20


@pytest.mark.parametrize("case", GOLDEN)
def test_images_of_all_modes_are_read_as_elsewhere(service, case):
    predictor = Predictor(run_directory(service.run_id), "pytorch")
    try:
        expected = (200, prediction_json(predictor.read(GOLDEN[case][0], "image"))["label"])
    except ValueError as error:
        expected = (422, str(error))

    answer = predict(service, GOLDEN[case][0])

    assert answer.status_code == expected[0]
    assert (answer.json()[0]["label"] if expected[0] == 200 else answer.json()["error"]) == expected[1]


def test_a_digit_is_the_same_in_images_of_all_modes(service, digits):
    files = in_all_modes(digits[0, ..., 0])

    answer = service.client.post("/predict", files=[("images", file) for file in files.items()])

    assert {item["file"]: item.get("label") for item in answer.json()} == dict.fromkeys(files, "7")


class _Marks:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def _zip(name: str, content: bytes) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


def test_models_are_never_opened(service, tmp_path):
    planted = tmp_path / "unpickled"
    pickled = pickle.dumps(_Marks(planted))
    models = {
        "pickle.pt": pickled,
        "model.pt": _zip("archive/data.pkl", pickled),
        "lambda.keras": _zip("config.json", b'{"class_name": "Lambda"}'),
        "links.h5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    }
    for name, data in models.items():
        answer = service.client.post("/predict", files={"images": (name, data)})

        assert answer.status_code == 422
        assert answer.json()["error"].startswith(
            f"{name}: expected a PNG, JPEG, WebP, BMP, GIF or TIFF image, received"
        )
    assert not planted.exists()


@settings(max_examples=25, deadline=None)
@given(case=st.sampled_from(sorted(GOLDEN)), place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_a_changed_byte_gets_an_answer_or_a_sentence(service, case, place, value):
    data = bytearray(GOLDEN[case][0])
    data[int(place * len(data))] = value

    answer = predict(service, bytes(data))

    assert answer.status_code in (200, 422)
    assert answer.status_code == 200 or answer.json()["error"].startswith("image: ")


def test_too_much_is_refused(service):
    whole = service.client.post("/predict", content=bytes(64 * 2**20 + 1))
    in_parts = service.client.post("/predict", content=(bytes(2**20) for _ in range(65)))
    pixels = predict(service, b" " * (MAX_JSON_BYTES + 1), "application/json")
    many = service.client.post("/predict", files=[("images", ("a.png", b"a"))] * (MOST_IMAGES + 1))

    assert [answer.status_code for answer in (whole, in_parts, pixels, many)] == [413] * 4
    assert whole.json()["error"] == "Body: expected at most 64 MiB, received 65 MiB: send smaller or fewer images."
    assert "at most 8 MiB" in pixels.json()["error"]
    assert "at most 200 images" in many.json()["error"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "sentence"),
    [
        (b"", "image/png", 400, "received nothing"),
        (b"{", "application/json", 400, "expected JSON"),
        (b"\xff", "application/json; charset=utf-8", 400, "expected JSON"),
        (b"[" * 100_000, "application/json", 400, "expected JSON"),
        (b"[]", "application/json", 422, "expected {"),
        (b'{"images": []}', "application/json", 422, "expected {"),
        (b'{"images": [[]]}', "application/json", 422, "received something else"),
        (b'{"images": [[[0], [0, 1]]]}', "application/json", 422, "received rows of different lengths"),
        (b'{"images": [[[]]]}', "application/json", 422, "received empty rows"),
        (b'{"images": [[[[1, 2]]]]}', "application/json", 422, "received 2 values a pixel"),
        (b'{"images": [[[[1], 2]]]}', "application/json", 422, "received pixels of different lengths"),
        *((f'{{"images": [[[{v}]]]}}'.encode(), "application/json", 422, "another value") for v in NO_PIXELS),
        (b"", "multipart/form-data", 400, "with a boundary"),
        (b"x", "multipart/form-data; boundary=a", 400, "it is damaged"),
        (b"--a--\r\n", "multipart/form-data; boundary=a", 422, "at least one file"),
    ],
)
def test_a_body_without_images_gets_a_sentence(body, content_type, status, sentence):
    with pytest.raises(RequestError, match=re.escape(sentence)) as caught:
        images_of(body, content_type)
    assert caught.value.status == status


def test_what_is_asked_wrongly_gets_a_sentence(service):
    packed = service.client.post("/predict", content=b"a", headers={"Content-Encoding": "gzip"})
    nowhere, wrong_verb = service.client.get("/nothing"), service.client.get("/predict")

    assert packed.status_code == 415
    assert packed.json()["error"].startswith("Content-Encoding: expected none, received 'gzip'")
    assert (nowhere.status_code, nowhere.json()) == (404, {"error": "Not Found"})
    assert (wrong_verb.status_code, wrong_verb.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("header", [{"Host": "duet.example"}, {"Origin": "http://duet.example"}, {"Origin": "null"}])
def test_no_page_of_elsewhere_may_ask(service, digits, header):
    for answer in (
        service.client.get("/info", headers=header),
        service.client.post("/predict", content=png(digits[0]), headers=header),
    ):
        assert answer.status_code == 403
        assert "Duet" in answer.json()["error"]
    own = {"Origin": str(service.client.base_url).rstrip("/")}
    assert service.client.post("/predict", content=png(digits[0]), headers=own).status_code == 200


def test_too_many_at_once_are_told_to_come_again(service, digits):
    with ExitStack() as held:
        for _ in range(MAX_REQUESTS):
            unfinished = held.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            unfinished.sendall(
                b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 9\r\n\r\n" % service.port
            )
        time.sleep(1)
        answer = predict(service, png(digits[0]))
        assert answer.json()["error"].startswith(f"Expected at most {MAX_REQUESTS} requests at once")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert service.client.get("/health").json() == {"status": "ok"}
    wait_for(lambda: predict(service, png(digits[0])).status_code == 200)


def test_many_at_once_get_the_answers_they_would_get_alone(service, digits):
    bodies = [png(digit) for digit in digits]
    alone = [predict(service, body).json() for body in bodies]

    with ThreadPoolExecutor(16) as visitors:
        at_once = list(visitors.map(lambda i: predict(service, bodies[i % 20]).json(), range(200)))

    assert at_once == alone * 10


def test_a_killed_worker_comes_back(service, digits):
    before = predict(service, png(digits[0])).json()
    for worker in service.workers:
        worker.kill()
    wait_for(lambda: not service.workers)

    assert [predict(service, png(digits[0])).json() for _ in range(4)] == [before] * 4
    assert len(service.workers) >= 1


def test_no_framework_is_loaded(service, digits):
    predict(service, png(digits[0]))
    for process in (psutil.Process(service.process.pid), *service.workers):
        loaded = {Path(mapped.path).name for mapped in process.memory_maps()}
        assert not [name for name in loaded if re.match(r"libtorch|libtensorflow|_pywrap_tensorflow", name)]
    assert any("onnxruntime" in mapped.path for mapped in service.workers[0].memory_maps())


def test_says_what_it_serves(service):
    info = service.client.get("/info").json()

    assert info["run"] == service.run_id
    assert info["classes"] == [str(digit) for digit in range(10)]
    assert info["input_shape"] == [28, 28, 1]
    assert info["fingerprint"] == load("mnist").fingerprint


def test_the_description_loads_nothing(service):
    answer = service.client.get("/docs")

    assert answer.headers["Content-Type"].startswith("text/html")
    assert "POST /predict" in answer.text
    assert not re.findall(r"<script|\bsrc=|<link|@import|url\(|https?://", answer.text)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert set(service.client.get("/openapi.json").json()["paths"]) == {"/predict", "/health", "/info"}


def test_the_description_shows_names_as_they_are_written():
    schema = {"info": {"summary": HOSTILE_NAMES[0]}, "paths": {}}

    shown = read(page(schema, {"run": HOSTILE_NAMES[1], "classes": HOSTILE_NAMES, "preparation": HOSTILE_NAMES[2]}))

    plain = read(page({"info": {"summary": ""}, "paths": {}}, {"run": "", "classes": (), "preparation": ""}))
    assert shown.elements == plain.elements
    assert shown.references == plain.references == ["openapi.json", "predict"]
    assert ", ".join(HOSTILE_NAMES) in "".join(shown.text)
    assert f"Duet: run {HOSTILE_NAMES[1]}" in shown.text


@pytest.mark.parametrize("command", re.findall(r"^curl .*$", GUIDE, re.MULTILINE))
def test_the_guides_commands_are_answered(service, digits, tmp_path, command):
    for name in ("seven", "four"):
        (tmp_path / f"{name}.png").write_bytes(png(digits[0]))

    done = subprocess.run(
        shlex.split(command.replace(":8600", f":{service.port}")), cwd=tmp_path, capture_output=True, check=True
    )

    answer = json.loads(done.stdout)
    assert [item["label"] for item in answer] == ["7"] * len(answer) if isinstance(answer, list) else answer["error"]


def test_the_guides_client_prints_the_answers(service, digits, tmp_path):
    (client,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert len(client.splitlines()) <= 10
    (tmp_path / "seven.png").write_bytes(png(digits[0]))

    done = subprocess.run(
        [sys.executable, "-c", client.replace(":8600", f":{service.port}"), "seven.png"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert re.fullmatch(r"seven\.png 7 \d+\.\d%\n", done.stdout)


def test_what_is_being_answered_is_finished_at_the_end(run_id, digits):
    process = start(run_id, "--port", "0", "--workers", "1")
    address, body = address_of(process), png(digits[0])
    port, workers = int(address.rpartition(":")[2]), psutil.Process(process.pid).children()
    with socket.create_connection(("127.0.0.1", port)) as late:
        late.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %d\r\n\r\n" % (port, len(body)))
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        late.sendall(body)
        answer = late.recv(2**16)
    process.wait(30)

    assert answer.startswith(b"HTTP/1.1 200")
    assert process.returncode == 0
    assert errors_of(process) == ""
    assert not [worker for worker in workers if worker.is_running()]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("{run}", "--port", "{port}"), "Port (--port): {port} is in use; choose another one, or 0"),
        (("{run}", "--port", "70000"), "Port (--port): expected 0 to 65535, received 70000."),
        (("{run}", "--host", "no.such.host.invalid"), "Host (--host): expected an address of this machine"),
        (("{run}", "--workers", "0"), "Workers (--workers): expected 1 to 64, received 0."),
        (("0123456789ab",), "0123456789ab"),
    ],
)
def test_what_cannot_be_served_gets_a_sentence(service, arguments, sentence):
    given = {"run": service.run_id, "port": str(service.port)}
    process = start(*(argument.format_map(given) for argument in arguments))

    assert process.wait(60) == 2
    errors = errors_of(process)
    assert sentence.format_map(given) in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.slow
def test_whatever_its_description_allows_is_answered(service):
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"{service.client.base_url}/openapi.json".replace("//o", "/o"),
    ]
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    done = subprocess.run(
        [*command, "--checks", checks, "--max-examples", "100", "--seed", "1", "--no-color"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout[-5000:]
