"""Addresses, proxies, certificates, clock: the way to the online service, and its health."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from edge_tts import constants, drm

from tests import leaping, tones
from tests.backends.edge.faults import script
from tests.backends.edge.simulator import EdgeSimulator, ListTrouble
from tests.backends.edge.test_backend import ENGLISH, TEXT, against, backend_of, heard
from tts_book.backends import Health, Settings
from tts_book.backends.edge.backend import EdgeBackend, make
from tts_book.backends.edge.endpoint import EdgeTts, Endpoint, ServerClock
from tts_book.backends.edge.failures import Troubled
from tts_book.errors import BackendError, BackendRefused, BackendUnavailable, Failure
from tts_book.model import Speech

SPEECH = "wss://relay.example:8443/consumer/speech/synthesize/readaloud/edge/v1"


def endpoint(environ: dict[str, str] | None = None, proxy: str = "") -> Endpoint:
    return Endpoint.of(Settings(environ=environ or {}, proxy=proxy), None, None, EdgeTts())


def test_the_service_itself_is_reached_as_edge_tts_says() -> None:
    speech, voices = endpoint().speech_url(1e9, "ab" * 16), endpoint().voices_url(1e9)
    assert speech.startswith(constants.WSS_URL)
    assert voices.startswith(constants.VOICE_LIST)
    query = parse_qs(urlsplit(speech).query)
    assert query["ConnectionId"] == ["ab" * 16]
    assert query["Sec-MS-GEC"] == [drm.generate_sec_ms_gec_v2(1e9)]
    assert query["Sec-MS-GEC-Version"] == [constants.SEC_MS_GEC_VERSION]
    assert drm.DRM.clock_skew_seconds == 0


RELAYS = [
    (
        {"TTS_BOOK_EDGE_URL": SPEECH},
        SPEECH.replace("wss", "https").replace("edge/v1", "voices/list"),
    ),
    ({"TTS_BOOK_EDGE_URL": "ws://h/say?k=1"}, constants.VOICE_LIST),
    ({"TTS_BOOK_EDGE_VOICES_URL": "https://h/list"}, "https://h/list"),
]


@pytest.mark.parametrize(("environ", "voices"), RELAYS)
def test_a_relay_of_ones_own(environ: dict[str, str], voices: str) -> None:
    url = endpoint(environ).voices_url(0)
    assert url.startswith(voices)
    assert url.lower().count("trustedclienttoken") == 1
    speech = endpoint(environ).speech_url(0, "0")
    assert speech.startswith(environ.get("TTS_BOOK_EDGE_URL", constants.WSS_URL))
    assert speech.count("?") == 1


def test_voices_toml_may_name_the_way_and_the_environment_goes_before_it() -> None:
    table = {"url": "wss://mine:pw@own.example/edge/v1", "proxy": "socks5h://h:1"}
    way = Endpoint.of(Settings(environ={}, tables={"edge": table}), None, None, EdgeTts())
    assert way.speech_url(0, "0").startswith("wss://mine:pw@own.example/edge/v1?")
    assert way.voices_url(0).startswith("https://mine:pw@own.example/voices/list?")
    assert str(way.any_proxy()) == "h:1"
    assert "mine" not in way.secrets().redact("mine:pw@own.example")
    environ = {"TTS_BOOK_EDGE_URL": SPEECH}
    given = Settings(environ=environ, proxy="http://other:2", tables={"edge": table})
    way = Endpoint.of(given, None, None, EdgeTts())
    assert way.speech_url(0, "0").startswith(SPEECH)
    assert str(way.any_proxy()) == "other:2"


def test_the_token_is_made_for_the_servers_time() -> None:
    kept = drm.DRM.clock_skew_seconds
    token = EdgeTts().make_token
    assert token(1_000_000) == drm.generate_sec_ms_gec_v2(1_000_000)
    assert token(1_000_000) != token(2_000_000)
    assert drm.DRM.clock_skew_seconds == kept


def test_the_list_of_voices_may_go_another_way() -> None:
    way = endpoint({"HTTPS_PROXY": "p:1", "NO_PROXY": "list.example"})
    assert str(way.proxy_for(way.speech_url(0, "0"))) == "p:1"
    assert way.proxy_for("https://list.example/voices") is None


def test_a_proxy_in_the_environment_that_is_no_address_is_named() -> None:
    with pytest.raises(Troubled) as caught:
        endpoint({"ALL_PROXY": "me:secret@nothing"}).any_proxy()
    assert caught.value.trouble.failure is Failure.MISCONFIGURED
    assert '"nothing" is not an address' in caught.value.trouble.what
    assert "ALL_PROXY" in caught.value.trouble.fix


def test_the_environment_is_all_that_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "own.pem"

    async def run() -> Speech:
        async with EdgeSimulator() as service:
            file.write_bytes(service.authority_pem)
            backend = make(Settings(environ=service.environ(str(file))))
            try:
                assert len(await backend.voices()) > 10
                return await backend.speak(TEXT, ENGLISH)
            finally:
                await backend.aclose()

    assert heard(leaping.run(run()).audio) == tones.codes(TEXT)


class Proxy:
    """A proxy that connects, or refuses with a status. `asked` are the hosts it was asked for."""

    def __init__(self, refuses: str = "") -> None:
        self._refuses = refuses
        self.asked: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            await asyncio.gather(*self._tasks)  # they end with the connections they serve

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._connect(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        self.asked.append(target)
        if self._refuses:
            writer.write(f"HTTP/1.1 {self._refuses}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        host, _, port = target.partition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_pour(reader, back), _pour(there, writer))


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()
    with contextlib.suppress(OSError):
        await sink.wait_closed()


def through(
    proxy: Proxy, environ_name: str = "HTTPS_PROXY"
) -> tuple[Speech | BackendError, Health]:
    async def run() -> tuple[Speech | BackendError, Health]:
        async with EdgeSimulator() as service, proxy.open() as url:
            backend = backend_of(service, {environ_name: url})
            try:
                try:
                    said: Speech | BackendError = await backend.speak(TEXT, ENGLISH)
                except BackendError as error:
                    said = error
                return said, await backend.health()
            finally:
                await backend.aclose()

    return leaping.run(run())


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
def test_speech_and_list_go_through_the_proxy(name: str) -> None:
    proxy = Proxy()
    said, health = through(proxy, name)
    assert isinstance(said, Speech)
    assert heard(said.audio) == tones.codes(TEXT)
    assert "through the proxy 127.0.0.1" in health.detail
    assert len(proxy.asked) == 2


REFUSALS = [
    ("407 Proxy Authentication Required", Failure.MISCONFIGURED, True),
    ("403 Forbidden", Failure.MISCONFIGURED, True),
    ("502 Bad Gateway", Failure.TRANSIENT, False),
]


@pytest.mark.parametrize(("status", "failure", "stops"), REFUSALS)
def test_a_proxy_that_refuses(status: str, failure: Failure, stops: bool) -> None:
    error, health = through(Proxy(status))
    assert isinstance(error, BackendError)
    assert error.failure is failure
    assert error.stops_run is stops
    assert "proxy" in str(error)
    assert not health.usable
    assert "proxy" in health.detail
    assert "HTTPS_PROXY" in health.fix


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that is taken, and at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_a_proxy_that_is_not_there(nobody: str) -> None:
    async def run() -> None:
        backend = EdgeBackend(Settings(environ={}, proxy=f"http://{nobody}"))
        try:
            with pytest.raises(
                BackendRefused, match=f"proxy {re.escape(nobody)} cannot be reached"
            ):
                await backend.speak(TEXT, ENGLISH)
        finally:
            await backend.aclose()

    leaping.run(run())


def health_of(service: EdgeSimulator, tls: ssl.SSLContext | None = None) -> Health:
    async def ask(backend: EdgeBackend) -> Health:
        return await backend.health()

    if tls:
        service.ssl_context = tls
    return against(service, ask)


SICK: list[tuple[ListTrouble, str]] = [
    ("403", "403"),
    ("truncated", "incomplete"),
    ("empty", "empty"),
    ("hang", "in time"),
]


@pytest.mark.parametrize(("trouble", "detail"), SICK)
def test_a_list_that_is_broken_alone_keeps_nobody_from_speaking(
    trouble: ListTrouble, detail: str
) -> None:
    health = health_of(EdgeSimulator(voice_list=trouble))
    assert health.usable
    assert detail in health.detail


CLOSED = [
    ("http_403", False, "403", "--proxy"),
    ("http_500", False, "500", ""),
    ("mute", False, "in time", "network"),
    ("http_503", True, "403", ""),
]


@pytest.mark.parametrize(("fault", "usable", "detail", "fix"), CLOSED)
def test_health_names_what_is_wrong(fault: str, usable: bool, detail: str, fix: str) -> None:
    health = health_of(EdgeSimulator(script(then=fault), voice_list="403"))
    assert health.usable is usable
    assert detail in health.detail
    assert fix in health.fix
    assert "\n" not in health.detail + health.fix


def test_a_connection_that_drops_once_is_no_reason_to_give_up() -> None:
    faults = script("reset_in_tls", "refused", "reset_in_tls")
    assert health_of(EdgeSimulator(faults)).usable


def test_health_names_a_certificate() -> None:
    health = health_of(EdgeSimulator(), ssl.create_default_context())
    assert not health.usable
    assert "certificate" in health.detail
    assert "SSL_CERT_FILE" in health.fix


def test_health_names_a_missing_service(nobody: str) -> None:
    async def run() -> Health:
        closed = EdgeBackend(Settings(environ={}), speech_url=f"wss://{nobody}/edge/v1")
        try:
            return await closed.health()
        finally:
            await closed.aclose()

    health = leaping.run(run())
    assert not health.usable
    assert "cannot be reached" in health.detail


def test_voices_without_tags_are_voices() -> None:
    async def ask(backend: EdgeBackend) -> None:
        voices = await backend.voices()
        assert {voice.gender for voice in voices} == {"male", "female"}
        assert "ru-RU-DmitryNeural" in {voice.id for voice in voices}

    against(EdgeSimulator(voice_list="no_tags"), ask)


def test_the_list_is_asked_for_once_and_health_anew() -> None:
    simulator = EdgeSimulator()

    async def ask(backend: EdgeBackend) -> None:
        assert (await backend.health()).usable
        assert await backend.voices() == await backend.voices()
        assert simulator.statistics.lists == 1
        assert (await backend.health()).usable
        assert simulator.statistics.lists == 2

    against(simulator, ask)


def test_a_list_that_hangs_is_waited_for_once() -> None:
    service = EdgeSimulator(voice_list="hang")

    async def ask(backend: EdgeBackend) -> float:
        assert (await backend.health()).usable
        with pytest.raises(BackendUnavailable, match="in time"):
            await backend.voices()
        return asyncio.get_running_loop().time()

    assert against(service, ask) < 10
    assert service.statistics.lists == 1


def test_a_list_that_cannot_be_had_is_an_error() -> None:
    async def ask(backend: EdgeBackend) -> None:
        with pytest.raises(BackendUnavailable):
            await backend.voices()

    against(EdgeSimulator(voice_list="truncated"), ask)


def test_a_failing_list_does_not_hide_why_there_was_no_sound() -> None:
    async def ask(backend: EdgeBackend) -> None:
        with pytest.raises(BackendError) as caught:
            await backend.speak(TEXT, ENGLISH)
        assert caught.value.failure is Failure.NO_AUDIO

    against(EdgeSimulator(script(then="no_audio"), voice_list="truncated"), ask)


def test_a_clock_is_corrected_only_where_it_explains_the_refusal() -> None:
    clock = ServerClock(wall=lambda: 1_000.0)
    assert not clock.corrected(0.0, None)
    assert not clock.corrected(0.0, 1_059.0)
    assert clock.corrected(0.0, 2_000.0)
    assert clock.server_s() == 2_000.0
    assert clock.corrected(0.0, 2_000.0)  # asked before the correction, refused after it
    assert not clock.corrected(1_000.0, 2_010.0)
    clock.restore(0.0, 999.0)
    assert clock.skew_s == 1_000.0
    clock.restore(0.0, 1_000.0)
    assert clock.skew_s == 0.0
