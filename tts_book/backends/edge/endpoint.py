"""How the service is reached: addresses, proxy, certificates, token and the server's clock.

Token, versions, headers and addresses are read from edge-tts whenever they are needed, so that an
update of edge-tts is all it takes when the service changes them.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from urllib.parse import quote, urlsplit, urlunsplit

import certifi
import edge_tts
from edge_tts import constants, drm

from tts_book.backends import Settings
from tts_book.backends.edge.failures import PROXY, UPDATE, ServiceTrouble, Troubled
from tts_book.backends.edge.redaction import Secrets, find_url_secrets
from tts_book.errors import Failure

SPEECH_VARIABLE = "TTS_BOOK_EDGE_URL"
VOICES_VARIABLE = "TTS_BOOK_EDGE_VOICES_URL"
# The service allows a little more than five minutes; less than a minute cannot be the reason.
LEAST_SKEW_S = 60.0
_PROXIES = ("HTTPS_PROXY", "ALL_PROXY")


def _misconfigured(what: str, mend: str) -> Troubled:
    return Troubled(ServiceTrouble(what, mend, Failure.MISCONFIGURED, stops_run=True))


def _of_edge_tts(module: ModuleType, name: str) -> object:
    try:
        return getattr(module, name)
    except AttributeError as error:
        version = getattr(edge_tts, "__version__", "?")
        what = f"The installed edge-tts {version} has no {module.__name__}.{name}"
        raise _misconfigured(what, UPDATE) from error


def _constant(name: str) -> str:
    return str(_of_edge_tts(constants, name))


@dataclass(slots=True)
class ServerClock:
    """Our wall clock, and how far the server's is from it once that is known."""

    wall: Callable[[], float] = time.time
    skew_s: float = 0.0

    def server_s(self) -> float:
        """The server's time as well as it is known."""
        return self.wall() + self.skew_s

    def corrected(self, used_skew_s: float, server_s: float | None) -> bool:
        """After a refusal: whether the clock was to blame, and is set right now."""
        if server_s is None:
            return False
        skew_s = server_s - self.wall()
        if abs(skew_s - used_skew_s) <= LEAST_SKEW_S:
            return False
        self.skew_s = skew_s
        return True

    def restore(self, was_s: float, tried_s: float) -> None:
        """Takes a correction back that did not help, unless another has come since."""
        if self.skew_s == tried_s:
            self.skew_s = was_s


def make_token(server_s: float) -> str:
    """The token that is valid at `server_s`.

    edge-tts reads the time itself and keeps a skew in its class, to which it only ever adds; here
    that is set for one call.
    """
    keeper = drm.DRM
    kept = keeper.clock_skew_seconds
    keeper.clock_skew_seconds = server_s - time.time()
    try:
        return keeper.generate_sec_ms_gec()
    finally:
        keeper.clock_skew_seconds = kept


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Addresses ("" for the service's own), proxy ("" for none), and the environment's say.

    A relay of one's own is named by TTS_BOOK_EDGE_URL (speech, wss://) and
    TTS_BOOK_EDGE_VOICES_URL (voice list, https://); where only the first is given and ends in
    /edge/v1, the second is taken to lie beside it as /voices/list.
    """

    speech: str = ""
    voices: str = ""
    proxy: str = ""
    environ: Mapping[str, str] | None = None

    @classmethod
    def of(cls, settings: Settings, speech: str | None, voices: str | None) -> Endpoint:
        """From arguments, else from the environment, else the service's own."""
        environ = settings.environ
        speech = environ.get(SPEECH_VARIABLE, "") if speech is None else speech
        voices = environ.get(VOICES_VARIABLE, "") if voices is None else voices
        return cls(speech, voices or _beside(speech), settings.proxy, environ)

    def speech_url(self, server_s: float, connection_id: str) -> str:
        """Where to connect, with a fresh token."""
        url = self.speech or _constant("WSS_URL")
        return _with(
            _with_client(url, "TrustedClientToken"),
            {"ConnectionId": connection_id, **self._token(server_s)},
        )

    def voices_url(self, server_s: float) -> str:
        """Where the list of voices is."""
        url = self.voices or _constant("VOICE_LIST")
        return _with(_with_client(url, "trustedclienttoken"), self._token(server_s))

    @staticmethod
    def _token(server_s: float) -> dict[str, str]:
        version = _constant("SEC_MS_GEC_VERSION")
        return {"Sec-MS-GEC": make_token(server_s), "Sec-MS-GEC-Version": version}

    @staticmethod
    def speech_headers() -> dict[str, str]:
        """The browser's headers for speech."""
        return _headers("WSS_HEADERS")

    @staticmethod
    def voices_headers() -> dict[str, str]:
        """The browser's headers for the list."""
        return _headers("VOICE_HEADERS")

    def secrets(self) -> Secrets:
        """All that is secret about the way, but for what each request makes anew."""
        environ = self.environ or {}
        proxies = [environ.get(name, "") for each in _PROXIES for name in (each, each.lower())]
        ways = (self.speech, self.voices, self.proxy, *proxies)
        constant = str(getattr(constants, "TRUSTED_CLIENT_TOKEN", ""))
        return Secrets([constant, *(value for way in ways for value in find_url_secrets(way))])

    def any_proxy(self) -> str | None:
        """The proxy on the way to the service, for a message."""
        return self.proxy_for(self.speech or _constant("WSS_URL"))

    def proxy_for(self, url: str) -> str | None:
        """The proxy for `url`, None for a direct way. Raises Troubled for a SOCKS proxy."""
        host = urlsplit(url).hostname or ""
        return parse_proxy(self.proxy or _environment_proxy(self.environ or {}, host))


def _headers(name: str) -> dict[str, str]:
    known = _of_edge_tts(constants, name)
    return drm.DRM.headers_with_muid(dict(known)) if isinstance(known, dict) else {}


def _beside(speech: str) -> str:
    parts = urlsplit(speech)
    if not parts.path.endswith("/edge/v1"):
        return ""
    scheme = {"wss": "https", "ws": "http"}.get(parts.scheme, parts.scheme)
    path = parts.path.removesuffix("/edge/v1") + "/voices/list"
    return urlunsplit((scheme, parts.netloc, path, "", ""))


def _with(url: str, more: Mapping[str, str]) -> str:
    query = "&".join(f"{name}={quote(value)}" for name, value in more.items())
    return f"{url}{'&' if '?' in url else '?'}{query}"


def _with_client(url: str, name: str) -> str:
    if name.lower() in url.lower():
        return url
    return _with(url, {name: _constant("TRUSTED_CLIENT_TOKEN")})


def _environment_proxy(environ: Mapping[str, str], host: str) -> str:
    def value(name: str) -> str:
        return environ.get(name.lower(), "") or environ.get(name, "")

    if _goes_direct(host, value("NO_PROXY")):
        return ""
    return next(filter(None, map(value, _PROXIES)), "")


def _goes_direct(host: str, no_proxy: str) -> bool:
    """Whether NO_PROXY names `host` or a domain above it ("*" names all)."""
    named = [entry.strip().rpartition("://")[2].lower() for entry in no_proxy.split(",")]
    domains = [entry.partition(":")[0].removeprefix("*").removeprefix(".") for entry in named]
    return "*" in named or any(
        domain and (host == domain or host.endswith("." + domain)) for domain in domains
    )


def parse_proxy(proxy: str) -> str | None:
    """`proxy` with a scheme, None for "". Raises Troubled for what is no HTTP proxy."""
    if not proxy:
        return None
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable, parts = None, urlsplit("http://")
    if parts.scheme.startswith("socks"):
        what = f"A {parts.scheme} proxy cannot be used"
        raise _misconfigured(what, f"Only http:// and https:// proxies work. {PROXY}")
    if not usable:
        raise _misconfigured("The proxy is not a proper URL like http://host:port", PROXY)
    return url


def describe_proxy(proxy: str | None) -> str:
    """Host and port of a proxy, without its password."""
    parts = urlsplit(proxy or "")
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""


def make_tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """TLS that trusts the system, certifi's bundle, and SSL_CERT_FILE or SSL_CERT_DIR."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    if file or folder:
        try:
            context.load_verify_locations(file or None, folder or None)
        except OSError as error:
            name = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
            what = f"{name} cannot be read as certificates"
            raise _misconfigured(what, f"Correct {name}, or unset it.") from error
    return context
