"""Addresses of model servers: parsing them from the environment, and comparing them."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from types import MappingProxyType
from urllib.parse import urlsplit

OLLAMA_PORT = 11434
LOOPBACK = "loopback"
_USUAL_PORTS = MappingProxyType({"http": 80, "https": 443})
# What some client may interpret as an address in a model's name: ``huggingface/https://...``,
# ``openai/m@host``; but not versions after an ``@`` (``vertex_ai/m@20250101``) or Cloudflare's
# ``@cf/``.
_ADDRESS = re.compile(
    r"[?#]|(?:^|/)\.\.(?:/|$)|:[/\\]|\\\\|https?:|%[0-9a-f]{2}"
    r"|@(?!(?:[0-9-]+|default|latest)$|(?:cf|hf)/)",
    re.IGNORECASE,
)


def plain_url(text: str) -> str:
    """Return a variable's value unchanged."""
    return text


def server_url(text: str) -> str:
    """Return a self-hosted server's base URL; ``http://`` and ``/v1`` are optional."""
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        scheme, rest = "http", scheme
    rest = rest.rstrip("/")
    return f"{scheme}://{rest}" if "/" in rest else f"{scheme}://{rest}/v1"


def ollama_url(text: str) -> str:
    """Return the base URL for ``OLLAMA_HOST``, parsed as Ollama's own client does.

    Host, port and scheme are each optional: ``127.0.0.1:11435``, ``:11435``, ``my-box``,
    ``https://my-box``. ``0.0.0.0`` and ``::``, on which servers listen, mean this machine.
    """
    value = text.strip().strip("\"'").strip()
    scheme, separator, rest = value.partition("://")
    if not separator:
        scheme, rest = "http", value
    port = _USUAL_PORTS.get(scheme, OLLAMA_PORT) if separator else OLLAMA_PORT
    place, slash, path = rest.partition("/")
    host, given = _host_and_port(place)
    path = f"/{path}".rstrip("/") if slash else ""
    path = path if path.endswith("/v1") else f"{path}/v1"
    return f"{scheme}://{_reachable_host(host)}:{given or port}{path}"


def _host_and_port(place: str) -> tuple[str, str]:
    if _parse_ip(place.strip("[]")) is not None:  # an IPv6 address is full of colons
        return place.strip("[]"), ""
    host, colon, port = place.rpartition(":")
    if not colon:
        return place, ""
    # Like Ollama: an invalid port is ignored.
    return host.strip("[]"), port if port.isdecimal() and 0 < int(port) < 65536 else ""


def _reachable_host(host: str) -> str:
    address = _parse_ip(host)
    if not host:
        return "127.0.0.1"
    if address is None:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return host if address.version == 4 else f"[{host}]"


def _parse_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def may_hold_address(name: str) -> bool:
    """Return whether a client may interpret part of a model's name as an address."""
    plain = unicodedata.normalize("NFKC", name)
    odd = any(char.isspace() or unicodedata.category(char)[0] == "C" for char in plain)
    return odd or _ADDRESS.search(plain) is not None


def is_loopback(endpoint: str) -> bool:
    """Return whether an endpoint is on this machine."""
    if endpoint == LOOPBACK:
        return True
    try:
        host = urlsplit(endpoint).hostname or ""
    except ValueError:
        return False
    address = _parse_ip(host)
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def portable_address(endpoint: str | None) -> str | None:
    """Return an endpoint as artifacts record it.

    A port on this machine means nothing elsewhere, and may differ from run to run.
    """
    return LOOPBACK if endpoint is not None and is_loopback(endpoint) else endpoint


def same_place(first: str, second: str) -> bool:
    """Return whether two endpoints are the same; all on this machine count as one."""
    return portable_address(first.rstrip("/")) == portable_address(second.rstrip("/"))
