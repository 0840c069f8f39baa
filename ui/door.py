"""The door: who may connect, and what browsers may do with what they get. It stands before all that Streamlit serves.

    st.App(script, middleware=[Middleware(Door, Exposure.from_environment())])

`core.system.origins` says who is let in; all else is answered with 403 and a sentence.
"""

import base64
import hashlib
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit

from core.system.origins import Exposure, header_values, why_refused

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOGGER = logging.getLogger(__name__)

_POLICY = {
    "default-src": "'self'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "object-src": "'none'",
    "frame-src": "'none'",
    "script-src": "'self' blob:",  # Streamlit loads a component's script from a blob
    "style-src": "'self' 'unsafe-inline'",  # Streamlit and Vega style their elements so
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "font-src": "'self' data:",
}
"""What a page of Duet may load and from where: all that Streamlit and the charts need, and nothing of elsewhere."""


class Door:
    """Lets in who may connect, and sends with each answer what browsers may do with it. ASGI middleware."""

    def __init__(self, app: "ASGIApp", exposure: Exposure):
        self._app = app
        self._exposure = exposure
        self._headers = {name.encode(): value.encode() for name, value in _response_headers(exposure).items()}

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: "Message") -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in self._headers]
                message = {**message, "headers": [*kept, *self._headers.items()]}
            await send(message)

        if reason := why_refused(scope, self._exposure):
            _LOGGER.warning("Refused %s: %s", scope["type"], reason)
            await _refuse(scope, send_with_headers, reason)
            return
        await self._app(_for_streamlit(scope), receive, send_with_headers)


def _for_streamlit(scope: "Scope") -> "Scope":
    """Return a request as Streamlit is to see it: of its own origin, whatever name the page has it by.

    Streamlit looks at origins once more, and asks an outside service for this machine's address when one is not that
    of the `Host`.
    """
    origins = header_values(scope, b"origin")
    if not origins:
        return scope
    replaced = {b"origin"} if scope["type"] == "http" else {b"host"}
    headers = [pair for pair in scope["headers"] if pair[0].lower() not in replaced]
    if scope["type"] == "websocket":
        headers.append((b"host", origins[0].partition("://")[2].encode("latin-1")))
    return {**scope, "headers": headers}


async def _refuse(scope: "Scope", send: "Send", reason: str) -> None:
    """Answer with 403, and with a sentence where whoever asked can read it."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = reason.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _response_headers(exposure: Exposure) -> dict[str, str]:
    """Return what each answer tells browsers: who may frame it, and what it may load."""
    framed_by = " ".join(map(str, exposure.framed_by))
    policy = _POLICY | {
        "script-src": " ".join((_POLICY["script-src"], *_hashes_of_inline_scripts())),
        "frame-ancestors": framed_by or "'none'",
    }
    headers = {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
    # It knows no list, so it would keep out who is listed.
    return headers if framed_by else headers | {"x-frame-options": "DENY"}


def _hashes_of_inline_scripts() -> list[str]:
    """Return what a content policy calls the scripts that stand in the page itself that Streamlit serves."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_bytes()
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    return [f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts]
