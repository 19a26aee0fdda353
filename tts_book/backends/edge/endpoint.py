"""How the service is reached: addresses, proxy, and the server's clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit, urlunsplit

from tts_book.backends import Settings
from tts_book.backends.edge.failures import PROXY, Troubled
from tts_book.backends.edge.library import EdgeTts, misconfigured
from tts_book.backends.edge.redaction import Secrets, find_url_secrets
from tts_book.backends.network import Proxy, find_proxy, list_proxies
from tts_book.errors import UserError

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
