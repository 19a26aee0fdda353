"""How the service is reached: what edge-tts knows of it, addresses, proxy, the server's clock.

Addresses, headers, token and their versions are read from edge-tts whenever they are needed, so
that an update of edge-tts is all it takes when the service changes. Where an update renamed what is
read here, one line says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from urllib.parse import quote, urlsplit, urlunsplit

from tts_book.backends import Settings
from tts_book.backends.edge.failures import PROXY, ServiceTrouble, Troubled
from tts_book.backends.edge.wire_log import Secrets, find_url_secrets
from tts_book.backends.network import Proxy, find_proxy, list_proxies
from tts_book.errors import Failure, UserError

TOGETHER = "pip install -U tts-book edge-tts"
EARLIER = "Where that does not help yet, install the edge-tts that worked before."


def misconfigured(what: str, fix: str) -> Troubled:
    """What no other request can change."""
    return Troubled(ServiceTrouble(what, fix, Failure.MISCONFIGURED, stops_run=True))


class EdgeTts:
    """The installed edge-tts; `load` imports a module of it. Raises Troubled where it lacks what
    is needed."""

    def __init__(self, load: Callable[[str], ModuleType] = import_module) -> None:
        self._load = load

    @property
    def version(self) -> str:
        """As "7.3.1"; "?" where it does not say."""
        return str(getattr(self._module("edge_tts"), "__version__", "?"))

    @property
    def speech_url(self) -> str:
        return str(self._constant("WSS_URL", str))

    @property
    def voices_url(self) -> str:
        return str(self._constant("VOICE_LIST", str))

    @property
    def client_token(self) -> str:
        """The same for everybody, and part of both addresses; a relay's need not have it."""
        return str(self._constant("TRUSTED_CLIENT_TOKEN", str))

    @property
    def token_version(self) -> str:
        return str(self._constant("SEC_MS_GEC_VERSION", str))

    def speech_headers(self) -> dict[str, str]:
        """The browser's headers for speech, with a fresh cookie."""
        return self._headers("WSS_HEADERS")

    def voices_headers(self) -> dict[str, str]:
        """The browser's headers for the list of voices, with a fresh cookie."""
        return self._headers("VOICE_HEADERS")

    def make_token(self, server_s: float) -> str:
        """The token that is valid at `server_s`.

        edge-tts reads the time itself and keeps a skew in its class, to which it only ever adds;
        here that is set for one call.
        """
        keeper, name = self._keeper(), "generate_sec_ms_gec"
        kept = self._attribute(keeper, "clock_skew_seconds")
        keeper.clock_skew_seconds = server_s - time.time()  # type: ignore[attr-defined]
        try:
            made = self._call(keeper, name)
        finally:
            keeper.clock_skew_seconds = kept  # type: ignore[attr-defined]
        if not isinstance(made, str) or not made:
            raise self._changed(f"DRM.{name}")
        return made

    def check(self) -> None:
        """Raises Troubled unless all that speech needs is there."""
        self.make_token(time.time())
        self.speech_headers()
        _ = (self.speech_url, self.token_version)

    def _headers(self, name: str) -> dict[str, str]:
        known = dict(self._constant(name, dict))  # type: ignore[call-overload]  # it is a dict
        made = self._call(self._keeper(), "headers_with_muid", known)
        if not isinstance(made, dict):
            raise self._changed("DRM.headers_with_muid")
        return made

    def _keeper(self) -> object:
        return self._attribute(self._module("edge_tts.drm"), "DRM")

    def _constant(self, name: str, kind: type) -> object:
        found = self._attribute(self._module("edge_tts.constants"), name)
        if not isinstance(found, kind):
            raise self._changed(f"constants.{name}")
        return found

    def _call(self, keeper: object, name: str, *arguments: object) -> object:
        method = self._attribute(keeper, name)
        try:
            return method(*arguments)  # type: ignore[operator]  # what else it is, is a TypeError
        except TypeError as error:
            raise self._changed(f"DRM.{name}") from error

    def _attribute(self, owner: object, name: str) -> object:
        try:
            return getattr(owner, name)
        except AttributeError as error:
            shown = str(getattr(owner, "__name__", "")).removeprefix("edge_tts.")
            raise self._changed(f"{shown}.{name}") from error

    def _module(self, name: str) -> ModuleType:
        try:
            return self._load(name)
        except ImportError as error:
            if name == "edge_tts":
                raise misconfigured(f"edge-tts cannot be imported: {TOGETHER}", EARLIER) from error
            raise self._changed(name.removeprefix("edge_tts.")) from error

    def _changed(self, what: str) -> Troubled:
        says = f"edge-tts {self.version} has changed inside ({what}) and does not fit tts-book"
        return misconfigured(f"{says}: {TOGETHER}", EARLIER)


SPEECH_VARIABLE = "TTS_BOOK_EDGE_URL"
VOICES_VARIABLE = "TTS_BOOK_EDGE_VOICES_URL"
# The service allows a little more than five minutes; less than a minute cannot be the reason.
LEAST_SKEW_S = 60.0


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


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Addresses ("" for the service's own), proxy ("" for none), and the environment's say.

    A relay of one's own is given by TTS_BOOK_EDGE_URL (speech, wss://) and
    TTS_BOOK_EDGE_VOICES_URL (voice list, https://), or by `url` and `voices_url` in [edge] of
    voices.toml; where only the first is given and ends in /edge/v1, the second is taken to lie
    beside it as /voices/list.
    """

    speech: str = ""
    voices: str = ""
    proxy: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    library: EdgeTts = field(default_factory=EdgeTts)

    @classmethod
    def of(
        cls, settings: Settings, speech: str | None, voices: str | None, library: EdgeTts
    ) -> Endpoint:
        """From arguments, else from the environment, else from voices.toml, else the service's
        own."""
        environ, table = settings.environ, settings.tables.get("edge", {})
        if speech is None:
            speech = environ.get(SPEECH_VARIABLE, "") or table.get("url", "")
        if voices is None:
            voices = environ.get(VOICES_VARIABLE, "") or table.get("voices_url", "")
        proxy = settings.proxy or table.get("proxy", "")
        return cls(speech, voices or _beside(speech), proxy, environ, library)

    def speech_url(self, server_s: float, connection_id: str) -> str:
        """Where to connect, with a fresh token."""
        url = self._with_client(self.speech or self.library.speech_url, "TrustedClientToken")
        return _with(url, {"ConnectionId": connection_id, **self._token(server_s)})

    def voices_url(self, server_s: float) -> str:
        """Where the list of voices is."""
        url = self._with_client(self.voices or self.library.voices_url, "trustedclienttoken")
        return _with(url, self._token(server_s))

    def _token(self, server_s: float) -> dict[str, str]:
        token, version = self.library.make_token(server_s), self.library.token_version
        return {"Sec-MS-GEC": token, "Sec-MS-GEC-Version": version}

    def _with_client(self, url: str, name: str) -> str:
        if name.lower() in url.lower():
            return url
        return _with(url, {name: self.library.client_token})

    def secrets(self) -> Secrets:
        """All that is secret about the way, but for what each request makes anew."""
        ways = [self.speech, self.voices, *list_proxies(self.proxy, self.environ)]
        with suppress(Troubled):  # what edge-tts does not name, it does not send
            ways += [self.library.speech_url, self.library.voices_url]
        return Secrets(value for way in ways for value in find_url_secrets(way))

    def any_proxy(self) -> Proxy | None:
        """The proxy on the way to the service, for a message. Raises Troubled."""
        return self.proxy_for(self.speech or self.library.speech_url)

    def proxy_for(self, url: str) -> Proxy | None:
        """The proxy for `url`, None for a direct way. Raises Troubled."""
        host = urlsplit(url).hostname or ""
        try:
            return find_proxy(self.proxy, self.environ, host)
        except UserError as error:
            raise misconfigured(str(error).rstrip("."), PROXY) from None


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
