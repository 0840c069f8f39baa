"""What answers HTTP: `POST /predict`, `GET /health`, `GET /info`, and its description, `/openapi.json` and `/docs`.

    app = make_app(Info.of(run_id, served, version), workers, Exposure.from_environment())

Bodies are bounded, one by one and all that are held at the same time, as are requests; who may ask is told by
`core.system.origins`, as for the dashboard.
"""

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect

from core.datasets.decoding import MAX_BYTES
from core.export.serving.page import page
from core.export.serving.requests import MAX_JSON_BYTES, MOST_IMAGES
from core.export.serving.workers import Served, WorkerError, Workers
from core.system.origins import Exposure, why_refused
from core.system.text import quoted

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOGGER = logging.getLogger("duet.serving")

MAX_REQUESTS = 64
"""So many requests for predictions may be there at once; the next one is told to come again."""

MAX_HELD = 4 * MAX_BYTES
"""So many bytes of their bodies are held at once."""

_BODY_DEADLINE_S = 30.0

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What each answer tells browsers: the page of `/docs` loads nothing, and nobody frames it."""


class Info(BaseModel):
    """What is served: a run, and what its network expects and knows."""

    run: str
    epoch: int = Field(description="The epoch that its weights are of.")
    architecture: str
    framework: str = Field(description="The one that it was trained in; it is served from its ONNX export.")
    classes: tuple[str, ...]
    input_shape: list[int] = Field(
        min_length=3, max_length=3, description="Height, width and channels that an image is brought to."
    )
    preparation: str = Field(description="How an image is brought there: handwriting or photo.")
    fingerprint: str = Field(description="Of the data that the network was trained on.")
    temperature: float = Field(description="At which its probabilities are calibrated; 1 for its own.")
    tells_unfamiliar: bool = Field(description="Whether it is known what is familiar to it; else scores are null.")
    warnings: tuple[str, ...]
    version: str = Field(description="Duet's.")

    @classmethod
    def of(cls, run_id: str, served: Served, version: str) -> Self:
        """Return what is said of a run that is served."""
        checkpoint = served.checkpoint
        description = checkpoint.description
        return cls(
            run=run_id,
            epoch=checkpoint.epoch,
            architecture=description.architecture.name,
            framework=description.config.framework,
            classes=description.class_names,
            input_shape=list(description.input_shape),
            preparation=description.preparation,
            fingerprint=description.fingerprint,
            temperature=served.temperature,
            tells_unfamiliar=bool(served.familiarity),
            warnings=(checkpoint.damage,) if checkpoint.damage else (),
            version=version,
        )


class Health(BaseModel):
    """That the service is there."""

    status: str


class Problem(BaseModel):
    """What is wrong, in a sentence."""

    error: str


class Item(BaseModel):
    """What is said of one image, as by `predict --json`; one that cannot be read has `file` and `error` alone."""

    model_config = ConfigDict(extra="allow")

    file: str
    label: str | None = None
    probability: float | None = Field(default=None, ge=0, le=1)
    probabilities: dict[str, float] | None = Field(
        default=None, description="Empty where there are several characters, each of which has its own."
    )
    unfamiliar: bool | None = Field(default=None, description="Whether it is nothing that the network knows.")
    score: float | None = Field(default=None, description="How unfamiliar it is; above 1 it counts as unfamiliar.")
    found: list[dict[str, Any]] | None = Field(
        default=None,
        description="An entry a character, from left to right, with label, probability, box and more.",
    )
    warnings: list[str] | None = None
    error: str | None = None


_REASONS = {
    400: "The body cannot be understood.",
    403: "A web page of elsewhere asks, or the service is asked by a name that it does not have.",
    408: "The body did not come in time.",
    413: "The body is too large, or has too many images.",
    415: "The body is compressed as a whole.",
    422: "None of the images can be read; the sentence is about the first one.",
    503: "Too much is asked at once, or an image took too long: come again after so many seconds as Retry-After says.",
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": text} for code, text in _REASONS.items()
}

_PIXEL = {"type": "integer", "minimum": 0, "maximum": 255}
_ROW = {"type": "array", "minItems": 1, "items": {"anyOf": [_PIXEL, {"type": "array", "items": _PIXEL}]}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}

_BODY = {
    "required": True,
    "content": {
        **{f"image/{kind}": _BINARY for kind in ("png", "jpeg", "webp", "bmp", "gif", "tiff")},
        "application/octet-stream": _BINARY,
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["images"],
                "properties": {
                    "images": {"type": "array", "minItems": 1, "maxItems": MOST_IMAGES, "items": _BINARY["schema"]}
                },
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["images"],
                "properties": {
                    "images": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": MOST_IMAGES,
                        "items": {"type": "array", "minItems": 1, "items": _ROW},
                        "description": "Rows of pixels from 0 to 255: numbers, or [red, green, blue].",
                    }
                },
            }
        },
    },
}


class Intake:
    """How many requests there are and how many bytes they hold; refuses what would be too much."""

    def __init__(self) -> None:
        self._requests = self._bytes = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request while the block runs.

        Raises:
            HTTPException: 503, if there are `MAX_REQUESTS`.
        """
        if self._requests >= MAX_REQUESTS:
            raise _come_again(f"Expected at most {MAX_REQUESTS} requests at once, received more: come again.")
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    @contextmanager
    def body(self) -> Iterator[bytearray]:
        """Give room for a body, to be filled by `add`, while the block runs."""
        body = bytearray()
        try:
            yield body
        finally:
            self._bytes -= len(body)

    def add(self, body: bytearray, part: bytes, limit: int) -> None:
        """Append a part of a body.

        Raises:
            HTTPException: 413, if it becomes longer than `limit`; 503, if all bodies together become too much.
        """
        if len(body) + len(part) > limit:
            raise too_large(limit, None)
        if self._bytes + len(part) > MAX_HELD:
            raise _come_again("Expected smaller images, or fewer at once: the service holds as many as it may.")
        self._bytes += len(part)
        body += part


def too_large(limit: int, received: int | None) -> HTTPException:
    """Return the refusal of a body that is longer than `limit` bytes."""
    size = "more" if received is None else f"{math.ceil(received / 2**20):,} MiB"
    return HTTPException(
        413, f"Body: expected at most {limit // 2**20} MiB, received {size}: send smaller or fewer images."
    )


def _come_again(sentence: str) -> HTTPException:
    return HTTPException(503, sentence, {"Retry-After": "1"})


async def read_body(request: Request, intake: Intake, body: bytearray) -> None:
    """Fill `body` with what a request brings.

    Raises:
        HTTPException: if it is too large, too slow, compressed, or broken off.
    """
    if (encoding := request.headers.get("content-encoding", "identity")) != "identity":
        raise HTTPException(
            415, f"Content-Encoding: expected none, received {quoted(encoding)}: send the images as they are."
        )
    is_json = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    limit = MAX_JSON_BYTES if is_json else MAX_BYTES
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise too_large(limit, int(length))
    try:
        async with asyncio.timeout(_BODY_DEADLINE_S):
            async for part in request.stream():
                intake.add(body, part, limit)
    except ClientDisconnect:
        raise HTTPException(400, "Body: expected all of it, but the connection has ended.") from None
    except TimeoutError:
        raise HTTPException(408, f"Body: expected all of it within {_BODY_DEADLINE_S:.0f} s.") from None


def make_app(info: Info, workers: Workers, exposure: Exposure) -> FastAPI:
    """Return the ASGI application that answers for a network."""
    app = FastAPI(
        title="Duet",
        summary=f"Classifies images by run {info.run}, {info.architecture}.",
        version=info.version,
        docs_url=None,  # these load their scripts from elsewhere
        redoc_url=None,
        middleware=[Middleware(Entrance, exposure)],
        exception_handlers={HTTPException: _as_problem},
    )
    intake = Intake()

    @app.post(
        "/predict",
        summary="Classify images",
        description="Takes one image file as the body, a form with files, or pixels as JSON. "
        f"Returns an item an image, in their order, of at most {MOST_IMAGES}.",
        response_model=list[Item],
        responses=_PROBLEMS,
        openapi_extra={"requestBody": _BODY},
    )
    async def predict(request: Request) -> Response:
        with intake.request(), intake.body() as body:
            await read_body(request, intake, body)
            try:
                status, content = await workers.answer(bytes(body), request.headers.get("content-type", ""))
            except WorkerError as error:
                raise _come_again(str(error)) from None
        return Response(content, status, media_type="application/json")

    @app.get("/health", summary="Say that the service is there", responses={403: _PROBLEMS[403]})
    async def health() -> Health:
        return Health(status="ok")

    @app.get("/info", summary="Say what is served", responses={403: _PROBLEMS[403]})
    async def say_info() -> Info:
        return info

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi(), info.model_dump()))

    return app


async def _as_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "it is the handler of these"
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


class Entrance:
    """Lets in who may connect, and sends with each answer what browsers may do with it. ASGI middleware."""

    def __init__(self, app: "ASGIApp", exposure: Exposure):
        self._app = app
        self._exposure = exposure

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: "Message") -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", ()), *own]}
            await send(message)

        if reason := why_refused(scope, self._exposure):
            _LOGGER.warning("Refused %s: %s", scope["type"], reason)
            await JSONResponse({"error": reason}, 403)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)
