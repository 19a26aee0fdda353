"""What edge-tts knows of the service: addresses, headers, token and their versions.

All of it is read whenever it is needed, so that an update of edge-tts is all it takes when the
service changes. Where an update renamed what is read here, one line says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

from tts_book.backends.edge.failures import ServiceTrouble, Troubled
from tts_book.errors import Failure

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
