"""The door: who may connect, and what browsers may do with what they get. It stands before all that Streamlit serves.

    st.App(script, middleware=[Middleware(Door, Exposure.from_environment())])

A request is let in where

- its `Host` is one that Duet is served as, so that no page gets in by a name of its own that it points at this
  machine (DNS rebinding), and
- its `Origin`, if it has one, is that which the request was made to: scheme, host and port, or one that whoever
  exposes Duet lists. A web socket without an origin is for programs; browsers always send one.

Duet is served as the address and port that a connection has reached, as `localhost` where no other machine reaches
that, and as the origins in `DUET_ORIGINS`. All else is answered with 403 and a sentence.
"""

import base64
import hashlib
import ipaddress
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import streamlit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ORIGINS = "DUET_ORIGINS"
"""The environment variable that lists the origins that Duet is served as besides its own, parted by spaces."""

FRAMED_BY = "DUET_FRAMED_BY"
"""The environment variable that lists the origins whose pages may frame Duet, parted by spaces."""

_LOGGER = logging.getLogger(__name__)

_PORTS = {"http": 80, "https": 443}
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)

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


class Origin(NamedTuple):
    """Where a page comes from: `http` or `https`, a host in small letters, and a port."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port as browsers write them: without the port that the scheme has anyway."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def parse_origin(text: str) -> Origin | None:
    """Return an origin as browsers send it, such as `https://duet.example:8443`; None if it is none."""
    scheme, parted, rest = text.partition("://")
    return parse_host(rest, scheme.lower()) if parted and scheme.lower() in _PORTS else None


def parse_host(text: str, scheme: str) -> Origin | None:
    """Return what a `Host` header such as `127.0.0.1:8501` names over `http` or `https`; None if it names nothing."""
    match = _HOST.fullmatch(text)
    port = int(match["port"] or _PORTS[scheme]) if match else 0
    if not match or not 0 < port < 2**16:
        return None
    name = match["name"].lower()
    if name.startswith("["):
        try:
            name = f"[{ipaddress.IPv6Address(name[1:-1])}]"
        except ValueError:
            return None
    return Origin(scheme, name, port)


@dataclass(frozen=True)
class Exposure:
    """What whoever exposes Duet has said: the origins it is served as, and those whose pages may frame it."""

    origins: frozenset[Origin] = frozenset()
    framed_by: tuple[Origin, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Exposure":
        """Read `DUET_ORIGINS` and `DUET_FRAMED_BY`.

        Raises:
            ValueError: if what one of them lists is no origin.
        """
        return cls(frozenset(_listed(environment, ORIGINS)), tuple(_listed(environment, FRAMED_BY)))


def _listed(environment: Mapping[str, str], variable: str) -> list[Origin]:
    origins = []
    for text in environment.get(variable, "").replace(",", " ").split():
        origin = parse_origin(text)
        if origin is None:
            raise ValueError(
                f"{variable}: expected origins such as https://duet.example, without a path and parted by spaces, "
                f"received {text!r}."
            )
        origins.append(origin)
    return origins


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

        if reason := self._why_refused(scope):
            _LOGGER.warning("Refused %s: %s", scope["type"], reason)
            await _refuse(scope, send_with_headers, reason)
            return
        await self._app(_for_streamlit(scope), receive, send_with_headers)

    def _why_refused(self, scope: "Scope") -> str | None:
        """Return why a request may not pass, in a sentence; None if it may."""
        hosts, origins = _values(scope, b"host"), _values(scope, b"origin")
        allowed = self._allowed_origins(scope, hosts[0]) if len(hosts) == 1 else set()
        if not allowed:
            return (
                f"Duet is not served as {_quoted(hosts) or 'no host'}. If it should be, list its origin in {ORIGINS}."
            )
        if not origins:
            # No script can leave out or change what tells a browser here.
            browser = scope["type"] == "websocket" and _values(scope, b"sec-fetch-mode")
            return "A browser that keeps its page's origin to itself may not connect to Duet." if browser else None
        if len(origins) > 1 or parse_origin(origins[0]) not in allowed:
            return f"A page of {_quoted(origins)} may not use Duet, which was asked as {_quoted(hosts)}."
        return None

    def _allowed_origins(self, scope: "Scope", host: str) -> set[Origin]:
        """Return the origins whose pages may make a request to this `Host`: none if Duet is not served as it."""
        own = parse_host(host, _SCHEMES[scope["scheme"]])
        address, port = scope.get("server") or ("", None)
        listed = self._exposure.origins
        if own is not None and own.port == port and own.host in _hosts_of(address):
            return {own, *listed}
        # A proxy that speaks TLS need not tell it here, so the listed origin's scheme counts, not that of the request.
        return {*listed} if any(parse_host(host, origin.scheme) == origin for origin in listed) else set()


def _hosts_of(address: str) -> set[str]:
    """Return what a URL may call the address that a connection has reached."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # a socket file
        return set()
    ip = getattr(ip, "ipv4_mapped", None) or ip
    hosts = {f"[{ip}]" if ip.version == 6 else str(ip)}
    return hosts | {"localhost"} if ip.is_loopback else hosts


def _values(scope: "Scope", name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _quoted(values: list[str]) -> str:
    return " and ".join(repr(value[:100]) for value in values)


def _for_streamlit(scope: "Scope") -> "Scope":
    """Return a request as Streamlit is to see it: of its own origin, whatever name the page has it by.

    Streamlit looks at origins once more, and asks an outside service for this machine's address when one is not that
    of the `Host`.
    """
    origins = _values(scope, b"origin")
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
