"""Speech through SOCKS proxies, as most VPN programs offer them."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from tests import leaping
from tests.backends.edge.simulator import EdgeSimulator
from tests.backends.edge.socks import SocksProxy
from tests.backends.edge.test_backend import RUSSIAN, TEXT, fine, whole
from tts_book.backends import Health, Settings
from tts_book.backends.edge.backend import EdgeBackend
from tts_book.errors import BackendError, Failure
from tts_book.model import Speech

LOGIN = ("reader of ours", "p@ss-word/1 +2")


@dataclass
class Found:
    """What a backend says behind a proxy."""

    said: list[Speech | BackendError]
    health: Health


def through(
    proxy: SocksProxy,
    scheme: str = "socks5",
    *,
    login: tuple[str, str] | None = None,
    variable: str = "",
    requests: int = 1,
) -> Found:
    """Speaks, then asks for the health, with a proxy that is given or in the environment."""

    async def run() -> Found:
        async with EdgeSimulator() as service, proxy.open() as address:
            named = "".join(f"{quote(part, safe='')}:" for part in login or ())[:-1]
            url = f"{scheme}://{named}@{address}" if login else f"{scheme}://{address}"
            backend = EdgeBackend(
                Settings(
                    environ={variable: url} if variable else {}, proxy="" if variable else url
                ),
                speech_url=service.wss_url.replace("127.0.0.1", "localhost"),
                voices_url=service.voices_url,
                tls=service.ssl_context,
            )
            said: list[Speech | BackendError] = []
            try:
                for _ in range(requests):
                    try:
                        said.append(await backend.speak(TEXT, RUSSIAN))
                    except BackendError as error:
                        fine(error)
                        said.append(error)
                return Found(said, await backend.health())
            finally:
                await backend.aclose()

    return leaping.run(run())


# scheme, whether the proxy is asked for the name
WAYS = [
    ("socks5", False),
    ("socks5h", True),
    ("socks", False),
    ("socks4", False),
    ("socks4a", True),
]


@pytest.mark.parametrize(("scheme", "by_name"), WAYS)
def test_speech_and_list_go_through_the_proxy(scheme: str, by_name: bool) -> None:
    proxy = SocksProxy()
    found = through(proxy, scheme)
    assert isinstance(found.said[0], Speech)
    assert whole(found.said[0])
    assert found.health.usable
    assert "through the proxy 127.0.0.1:" in found.health.detail
    assert proxy.asked == ["localhost" if by_name else "127.0.0.1", "127.0.0.1"]


@pytest.mark.parametrize("variable", ["ALL_PROXY", "https_proxy"])
def test_the_environment_may_name_it(variable: str) -> None:
    proxy = SocksProxy(login=LOGIN)
    found = through(proxy, "socks5h", login=LOGIN, variable=variable)
    assert isinstance(found.said[0], Speech)
    assert proxy.connections == 2


REFUSED: list[tuple[SocksProxy, tuple[str, str] | None, str, Failure]] = [
    (SocksProxy(login=LOGIN), None, "name and password", Failure.MISCONFIGURED),
    (SocksProxy(login=LOGIN), ("me", "wrong"), "name and password", Failure.MISCONFIGURED),
    (SocksProxy(reply=2), None, "refuses to connect (its rules)", Failure.MISCONFIGURED),
    (SocksProxy(reply=1), None, "could not connect (general failure)", Failure.TRANSIENT),
    (SocksProxy(reply=4), None, "could not connect (host unreachable)", Failure.TRANSIENT),
    (SocksProxy(reply=5), None, "could not connect (connection refused)", Failure.TRANSIENT),
    (SocksProxy(cuts_at=1), None, "dropped while connecting", Failure.TRANSIENT),
    (SocksProxy(cuts_at=30_000), None, "closed the connection", Failure.TRANSIENT),
]


@pytest.mark.parametrize(("proxy", "login", "said", "failure"), REFUSED, ids=lambda v: str(v)[:60])
def test_a_proxy_that_misbehaves(
    proxy: SocksProxy, login: tuple[str, str] | None, said: str, failure: Failure
) -> None:
    found = through(proxy, login=login)
    error = found.said[0]
    assert isinstance(error, BackendError)
    assert said in str(error)
    assert error.failure is failure
    assert error.stops_run is (failure is Failure.MISCONFIGURED)
    for secret in (*LOGIN, "wrong"):
        assert secret not in str(error)
        assert secret not in f"{found.health}"


def test_a_proxy_that_freezes_every_answer_is_found_out() -> None:
    found = through(SocksProxy(mute_after=20_000), requests=3)
    error = found.said[-1]
    assert isinstance(error, BackendError)
    assert error.stops_run
    assert re.search(r"freezes: 3 answers stopped after about 1\d kB", str(error))


ANSWERS = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""]


@pytest.mark.parametrize("scheme", ["socks5", "socks4"])
@pytest.mark.parametrize("answer", ANSWERS, ids=["HTTP", "nothing"])
def test_what_is_no_socks_proxy(scheme: str, answer: bytes) -> None:
    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async def run() -> BackendError:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        backend = EdgeBackend(
            Settings(environ={}, proxy=f"{scheme}://127.0.0.1:{port}"),
            speech_url="wss://127.0.0.1:1/edge/v1",
        )
        try:
            with pytest.raises(BackendError) as caught:
                await backend.speak(TEXT, RUSSIAN)
            return caught.value
        finally:
            await backend.aclose()
            server.close()

    error = leaping.run(run())
    fine(error)
    assert "SOCKS proxy" in str(error)
    assert error.stops_run


@pytest.mark.parametrize(
    ("url", "imported"), [("http://127.0.0.1:1", False), ("socks5://127.0.0.1:1", True)]
)
def test_the_library_is_imported_only_where_it_is_needed(url: str, imported: bool) -> None:
    code = (
        "import asyncio, sys\n"
        "from tts_book.backends import Settings, make\n"
        f"backend = make('edge', Settings(proxy={url!r}))\n"
        "print(asyncio.run(backend.health()).usable, 'aiohttp_socks' in sys.modules)\n"
    )
    arguments: Sequence[str] = [sys.executable, "-c", code]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False", str(imported)]
