"""Who may connect to what Duet serves: the names it is served as, and the pages that may use it.

    exposure = Exposure.from_environment()
    reason = why_refused(scope, exposure)      # of an ASGI request: None where it may pass

A request may pass where

- its `Host` is one that Duet is served as, so that no page gets in by a name of its own that it points at this
  machine (DNS rebinding), and
- its `Origin`, if it has one, is that which the request was made to: scheme, host and port, or one that whoever
  exposes Duet lists. A web socket without an origin is for programs; browsers always send one.

Duet is served as the address and port that a connection has reached, as `localhost` where no other machine reaches
that, and as the origins in `DUET_ORIGINS`.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from core.system.text import quoted

ORIGINS = "DUET_ORIGINS"
"""The environment variable that lists the origins that Duet is served as besides its own, parted by spaces."""

FRAMED_BY = "DUET_FRAMED_BY"
"""The environment variable that lists the origins whose pages may frame Duet, parted by spaces."""

_PORTS = {"http": 80, "https": 443}
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)


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
                f"received {quoted(text)}."
            )
        origins.append(origin)
    return origins


def why_refused(scope: Mapping[str, Any], exposure: Exposure) -> str | None:
    """Return why a request, by its ASGI scope, may not pass, in a sentence; None if it may."""
    hosts, origins = header_values(scope, b"host"), header_values(scope, b"origin")
    allowed = _allowed_origins(scope, hosts[0], exposure) if len(hosts) == 1 else set()
    if not allowed:
        return f"Duet is not served as {_quoted(hosts) or 'no host'}. If it should be, list its origin in {ORIGINS}."
    if not origins:
        # No script can leave out or change what tells a browser here.
        browser = scope["type"] == "websocket" and header_values(scope, b"sec-fetch-mode")
        return "A browser that keeps its page's origin to itself may not connect to Duet." if browser else None
    if len(origins) > 1 or parse_origin(origins[0]) not in allowed:
        return f"A page of {_quoted(origins)} may not use Duet, which was asked as {_quoted(hosts)}."
    return None


def header_values(scope: Mapping[str, Any], name: bytes) -> list[str]:
    """Return what a request has under the name of a header, in small letters; it may be there several times."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _allowed_origins(scope: Mapping[str, Any], host: str, exposure: Exposure) -> set[Origin]:
    """Return the origins whose pages may make a request to this `Host`: none if Duet is not served as it."""
    own = parse_host(host, _SCHEMES[scope["scheme"]])
    address, port = scope.get("server") or ("", None)
    listed = exposure.origins
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


def _quoted(values: list[str]) -> str:
    return " and ".join(repr(value[:100]) for value in values)
