"""The way to a server: proxies, also SOCKS, and trusted certificates. Passwords never appear in a
message or a representation."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tts_book.errors import UserError

if TYPE_CHECKING:
    from aiohttp import TCPConnector

# The first that is set is used; small letters go before capitals.
PROXY_VARIABLES = ("HTTPS_PROXY", "ALL_PROXY")
EXAMPLES = "http://host:port or socks5h://host:port"
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Whether the proxy looks host names up ("h"), or this machine does.
_SOCKS = {"socks": False, "socks5": False, "socks5h": True, "socks4": False, "socks4a": True}
_SOCKS_PORT = 1080


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, taken apart; `str()` is its host and port. `resolves`: it looks host names up."""

    scheme: str
    host: str
    port: int
    name: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    url: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_socks(self) -> bool:
        return self.scheme in _SOCKS

    @property
    def resolves(self) -> bool:
        return _SOCKS.get(self.scheme, True)


def parse_proxy(text: str) -> Proxy:
    """A proxy as people write it: "http://host:port", "socks5h://name:password@host:port",
    "host:port" for HTTP. Raises UserError."""
    url = text.strip()
    bare = "://" not in url
    url = f"http://{url}" if bare else url
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _no_proxy(text) from None
    usual = _DEFAULT_PORTS.get(parts.scheme, _SOCKS_PORT if parts.scheme in _SOCKS else None)
    if not parts.hostname or usual is None or port == 0 or (bare and port is None):
        raise _no_proxy(text)
    name, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme in _SOCKS and not (name + password).isascii():
        raise UserError(f"The name and password of the SOCKS proxy {parts.hostname} must be ASCII.")
    return Proxy(parts.scheme, parts.hostname, port or usual, name, password, url)


def _no_proxy(text: str) -> UserError:
    shown = text.rpartition("@")[2]  # without name and password
    return UserError(f'The proxy "{shown}" is not an address: give {EXAMPLES}.')


def find_proxy(given: str, environ: Mapping[str, str], host: str) -> Proxy | None:
    """The proxy on the way to `host`: the one that was given, else the environment's, or None for
    a direct way. Raises UserError."""
    if given:
        return parse_proxy(given)
    if _goes_direct(host, _value(environ, "NO_PROXY")):
        return None
    text = next(filter(None, (_value(environ, name) for name in PROXY_VARIABLES)), "")
    return parse_proxy(text) if text else None


def list_proxies(given: str, environ: Mapping[str, str]) -> list[str]:
    """Every proxy that is set anywhere, as it was written."""
    names = [spelled for name in PROXY_VARIABLES for spelled in (name, name.lower())]
    return [value for value in (given, *(environ.get(name, "") for name in names)) if value]


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name.lower(), "") or environ.get(name, "")


def _goes_direct(host: str, no_proxy: str) -> bool:
    """Whether NO_PROXY names `host` or a domain above it ("*" names all)."""
    named = [entry.strip().rpartition("://")[2].lower() for entry in no_proxy.split(",")]
    domains = [entry.partition(":")[0].removeprefix("*").removeprefix(".") for entry in named]
    return "*" in named or any(
        domain and (host == domain or host.endswith("." + domain)) for domain in domains
    )


def open_connector(proxy: Proxy | None, tls: ssl.SSLContext) -> TCPConnector:
    """A connector without a limit that opens a new connection for every request, through `proxy`
    where that speaks SOCKS; HTTP proxies are given with each request."""
    import aiohttp

    if proxy is None or not proxy.is_socks:
        return aiohttp.TCPConnector(ssl=tls, limit=0, force_close=True)
    from aiohttp_socks import ProxyConnector, ProxyType

    return ProxyConnector(
        proxy.host,
        proxy.port,
        ProxyType.SOCKS4 if proxy.scheme.startswith("socks4") else ProxyType.SOCKS5,
        proxy.name or None,
        proxy.password or None,
        rdns=proxy.resolves,
        ssl=tls,
        limit=0,
        force_close=True,
    )


def make_tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """TLS that trusts the system, certifi's bundle, and SSL_CERT_FILE or SSL_CERT_DIR. Raises
    UserError where these cannot be read."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    if file or folder:
        try:
            context.load_verify_locations(file or None, folder or None)
        except OSError:
            name = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
            text = f"{name} cannot be read as certificates: correct or unset it."
            raise UserError(text) from None
    return context
