"""The online service, simulated: the real protocol over real TLS on this machine.

Within a test:

    async with EdgeSimulator(faults=script("close_1000", None)) as service:
        backend = EdgeBackend(
            Settings(environ={}),
            speech_url=service.wss_url,
            voices_url=service.voices_url,
            tls=service.ssl_context,
        )
        ...
    service.statistics.speeches, service.statistics.most_open

From a shell, for the program itself (prints the environment to export, runs until Ctrl-C):

    python -m tests.backends.edge.simulator --port 8443 --mixture '{"hole": 0.2, "http_503": 0.1}'

What it does, faithfully: token, version, origin and browser are checked (a clock more than five
minutes off is a 403); SSML is read strictly; words sound as tones that `tones.read` finds again;
framing, ids, order, indented JSON, escaped text and the length of the silences are the service's
own; ten minutes of sound are the most. What goes wrong: `faults` holds the names, and what
decides which connection meets which fault. Nothing here waits unless a `Pace` asks for it.

Beside faults: `skew_s` (the server's clock against ours), `bare_403` (refusals without a Date),
`boundaries="words"` (both kinds of marks at once are refused), `rate` (a RateLimit), `voice_list`
(what is wrong with the list), `clock` (the time that waves, limits and bans go by), `pace`, and
`differences` (see that module: habits of a service that do no harm).
GET /statistics, on the same port, gives the figures as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import shlex
import socket
import ssl
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from types import TracebackType
from typing import Literal

import trustme
from aiohttp import WSCloseCode, WSMsgType, web
from edge_tts import constants, drm

from tests.backends.edge.acts import act, at_the_door, until_gone
from tests.backends.edge.differences import DIFFERENCES, Difference, apply, manner_of
from tests.backends.edge.faults import Asked, Fault, Faults, Mixture, script
from tests.backends.edge.script import MOST_TICKS, Step, Turn, steps, text_frame, with_fault
from tests.backends.edge.service import (
    LIKE_THE_SERVICE,
    VOICES,
    Gate,
    Pace,
    RateLimit,
    Statistics,
    concerns,
    listed,
    read_ssml,
    wanted_marks,
)

PATH = "/consumer/speech/synthesize/readaloud"
ListTrouble = Literal["", "403", "truncated", "empty", "no_tags", "hang"]


@lru_cache(maxsize=1)
def _certificates() -> tuple[bytes, ssl.SSLContext, ssl.SSLContext]:
    """A throw-away authority, TLS for the server, and for a client that trusts it alone."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    return authority.cert_pem.bytes(), server, client


@lru_cache(maxsize=16)
def _token(window: int) -> str:
    return drm.generate_sec_ms_gec_v2(window * 300)


class EdgeSimulator:
    """See the top of the file. Use with `async with`; a new one for each test."""

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        skew_s: float = 0.0,
        bare_403: bool = False,
        boundaries: Literal["both", "words"] = "both",
        rate: RateLimit | None = None,
        voice_list: ListTrouble = "",
        differences: Sequence[Difference] = (),
        port: int = 0,
    ) -> None:
        self.faults = faults or script()
        self._differences = tuple(differences)
        self._manner = manner_of(differences)
        self.statistics = Statistics()
        self.secrets: set[str] = set()  # what a client showed at the door, and nobody else may see
        self.voice_list: ListTrouble = voice_list
        self._pace = pace or Pace()
        self._clock, self._wall, self._sleep = clock, wall, sleep
        self._skew_s = skew_s
        self._bare_403 = bare_403
        self._boundaries = boundaries
        self._gate = Gate(rate) if rate else None
        self._port = port
        self._drawn = 0
        self._given_back: deque[Fault | None] = deque()
        self._open: set[object] = set()
        self._answering = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._met: dict[object, Fault | None] = {}
        self.authority_pem, self._server_tls, self.ssl_context = _certificates()

    @property
    def port(self) -> int:
        return self._port

    @property
    def open(self) -> int:
        """Requests that are being answered now."""
        return len(self._open)

    @property
    def wss_url(self) -> str:
        return f"wss://127.0.0.1:{self._port}{PATH}/edge/v1"

    @property
    def voices_url(self) -> str:
        return f"https://127.0.0.1:{self._port}{PATH}/voices/list"

    def environ(self, certificates: str) -> dict[str, str]:
        """The environment in which the program speaks through this service; `certificates` is a
        file with `authority_pem`."""
        return {
            "TTS_BOOK_EDGE_URL": self.wss_url,
            "TTS_BOOK_EDGE_VOICES_URL": self.voices_url,
            "SSL_CERT_FILE": certificates,
        }

    async def __aenter__(self) -> EdgeSimulator:
        app = web.Application()
        app.router.add_get(f"{PATH}/edge/v1", self._speech)
        app.router.add_get(f"{PATH}/voices/list", self._voices)
        app.router.add_get("/statistics", self._figures)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
        await self._runner.setup()
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=256)
        self._listener.setblocking(False)
        self._port = self._listener.getsockname()[1]
        self._accepting = asyncio.create_task(self._accept())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in (self._accepting, *self._tasks):
            task.cancel()
        await asyncio.gather(self._accepting, *self._tasks, return_exceptions=True)
        self._listener.close()
        await self._runner.cleanup()

    # ---- the door: connections, before TLS

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            task = asyncio.create_task(self._welcome(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _welcome(self, connection: socket.socket) -> None:
        self.statistics.connections += 1
        fault = self._draw()
        if fault is not None and fault.stage == "door":
            self.statistics.faults[fault.name] += 1
            await at_the_door(connection, fault)
            return
        server = self._runner.server
        assert server is not None
        handler = server()
        self._met[handler] = fault
        with contextlib.suppress(OSError):  # whoever leaves during TLS is no loss
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: handler, connection, ssl=self._server_tls
            )

    def _draw(self) -> Fault | None:
        if self._given_back:
            return self._given_back.popleft()
        asked = Asked(self._drawn, len(self._open) + 1, self._clock())
        self._drawn += 1
        return self.faults(asked)

    # ---- HTTP

    async def _figures(self, request: web.Request) -> web.Response:
        return web.json_response(asdict(self.statistics))

    def _headers(self, refused: bool = False) -> dict[str, str]:
        if refused and self._bare_403:
            return {"Date": ""}
        at = time.gmtime(self._wall() + self._skew_s)
        days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
        months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun"]
        months += ["Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        day = f"{days[at.tm_wday]}, {at.tm_mday:02} {months[at.tm_mon - 1]} {at.tm_year}"
        return {"Date": time.strftime(f"{day} %H:%M:%S GMT", at), "X-Cache": "CONFIG_NOCACHE"}

    def _refusal(self, request: web.Request, fault: Fault | None) -> web.Response | None:
        if fault is not None and fault.status:
            headers = {**self._headers(fault.status == 403), **dict(fault.headers)}
            self.statistics.refusals[fault.status] += 1
            return web.Response(status=fault.status, headers=headers, text=fault.body)
        status = 403 if not self._admitted(request) else 0
        if self._gate and not status:
            status = self._gate.refuses(self._clock(), len(self._open))
        if not status:
            return None
        self.statistics.refusals[status] += 1
        return web.Response(status=status, headers=self._headers(status == 403))

    def _remember(self, request: web.Request) -> None:
        harmless = ("connectionid", "sec-ms-gec-version")
        query = {value for name, value in request.query.items() if name.lower() not in harmless}
        muid = request.headers.get("Cookie", "").partition("=")[2].rstrip(";")
        self.secrets |= {*query, *(part for value in query for part in value.split("-")), muid}

    def _admitted(self, request: web.Request) -> bool:
        query = {name.lower(): value for name, value in request.query.items()}
        now_s = self._wall() + self._skew_s
        window = int(now_s // 300)
        tokens = {_token(near) for near in (window - 1, window, window + 1)}
        return (
            query.get("trustedclienttoken") == constants.TRUSTED_CLIENT_TOKEN
            and query.get("sec-ms-gec") in tokens
            and query.get("sec-ms-gec-version") == constants.SEC_MS_GEC_VERSION
            and "Edg/" in request.headers.get("User-Agent", "")
        )

    async def _voices(self, request: web.Request) -> web.Response:
        self._given_back.append(self._met.pop(request.protocol, None))
        self._remember(request)
        self.statistics.lists += 1
        if self.voice_list == "hang":
            await asyncio.sleep(3_600)
        status = 403 if self.voice_list == "403" or not self._admitted(request) else 200
        if status == 403:
            return web.Response(status=403, headers=self._headers(refused=True))
        body = json.dumps([listed(name) for name in VOICES], indent=2)
        if self.voice_list == "truncated":
            body = body[: len(body) // 2]
        elif self.voice_list == "empty":
            body = "[]"
        elif self.voice_list == "no_tags":
            body = re.sub(r',\s*"VoiceTag": \{[^}]*\}', "", body)
        return web.Response(text=body, content_type="application/json", headers=self._headers())

    # ---- speech

    async def _speech(self, request: web.Request) -> web.StreamResponse:
        fault = self._met.pop(request.protocol, None)
        self._remember(request)
        token = object()
        self._open.add(token)
        figures = self.statistics
        figures.speeches += 1
        figures.most_open = max(figures.most_open, len(self._open))
        figures.starts_s.append(self._clock())
        if fault is not None:
            figures.faults[fault.name] += 1
        try:
            return await self._handle(request, fault)
        finally:
            self._open.discard(token)

    async def _handle(self, request: web.Request, fault: Fault | None) -> web.StreamResponse:
        if fault is not None and fault.name == "slow_handshake":
            await asyncio.sleep(fault.wait_s)
        await self._pause(self._pace.connect_s)
        refusal = self._refusal(request, fault)
        if refusal is not None:
            return refusal
        ws = web.WebSocketResponse(compress=fault is not None and fault.name == "deflate")
        ws.headers.update(self._headers())
        await ws.prepare(request)
        if fault is not None and fault.name == "closed_at_once":
            await ws.close(code=fault.code)
        elif fault is not None and fault.name == "silent_socket":
            await until_gone(ws)
        else:
            await self._turns(request, ws, fault)
        return ws

    async def _turns(
        self, request: web.Request, ws: web.WebSocketResponse, fault: Fault | None
    ) -> None:
        wanted = (True, True)
        async for message in ws:
            if message.type is not WSMsgType.TEXT:
                continue
            headers, _, body = message.data.partition("\r\n\r\n")
            if "Path:speech.config" in headers:
                self.statistics.configs.append(body)
                wanted = wanted_marks(body)
                if all(wanted) and self._boundaries == "words":
                    reason = b"metadataoptions: one kind of boundary only"
                    await ws.close(code=WSCloseCode.INVALID_TEXT, message=reason)
            elif "Path:ssml" in headers:
                found = re.search(r"X-RequestId:(\w+)", headers)
                turn = Turn(found[1] if found else "", *wanted)
                self._answering += 1
                self.statistics.turns += 1
                self.statistics.most_turns = max(self.statistics.most_turns, self._answering)
                try:
                    await self._turn(request, ws, turn, body, fault)
                finally:
                    self._answering -= 1

    async def _turn(
        self,
        request: web.Request,
        ws: web.WebSocketResponse,
        turn: Turn,
        body: str,
        fault: Fault | None,
    ) -> None:
        try:
            asked = replace(read_ssml(body), manner=self._manner)
        except ValueError as error:
            self.statistics.bad_ssml.append(str(error))
            await ws.close(code=WSCloseCode.INVALID_TEXT, message=str(error).encode()[:120])
            return
        texts = self.statistics.texts
        texts.append(asked.text)
        began_s = self._clock()
        if fault is None and isinstance(self.faults, Mixture):
            fault = self.faults.of_turn(asked.text, texts.count(asked.text))
            self.statistics.faults.update([fault.name] if fault is not None else [])
        if fault is not None and not concerns(fault, asked):
            fault = None
        if fault is not None and fault.name == "silent_before_start":
            await until_gone(ws)
        text = asked.text if asked.voice in VOICES else ""
        draft = with_fault(turn, text, asked.say, fault)
        too_long = len(draft.audio) > MOST_TICKS // 240_000 * 144  # whatever format it goes out in
        apply(self._differences, draft, text)
        if not draft.audio:
            end = text_frame(turn.request_id, "turn.end", "{}")
            await ws.send_str(end)
            return
        if too_long:
            draft.stop = (1.0, Step("close", "maximum media duration of 600000ms", code=1007))
        sent = await self._send(request, ws, steps(draft))
        self.statistics.sound_bytes += len(draft.audio)
        if sent and draft.stop is None:
            self.statistics.finished += 1
            self.statistics.answered.append(asked.text)
            self.statistics.turns_s.append((began_s, self._clock()))

    async def _send(
        self, request: web.Request, ws: web.WebSocketResponse, messages: Iterable[Step]
    ) -> bool:
        """Whether all of them went out."""
        await self._pause(self._pace.first_mark_s)
        began_s = None
        for step in messages:
            if step.sound_s and self._pace.times_real:
                if began_s is None:
                    await self._pause(self._pace.first_sound_s - self._pace.first_mark_s)
                    began_s = self._clock()
                ahead_s = began_s + step.sound_s / self._pace.times_real - self._clock()
                if ahead_s > 0.01:
                    await self._pause(ahead_s)
            try:
                if not await act(request, ws, step):
                    return False
            except ConnectionError:
                return False
        return True

    async def _pause(self, wait_s: float) -> None:
        if wait_s > 0:
            await self._sleep(wait_s)


async def _serve(arguments: argparse.Namespace) -> None:
    faults = Mixture(json.loads(arguments.mixture), arguments.seed)
    pace = LIKE_THE_SERVICE if arguments.real else Pace()
    with tempfile.NamedTemporaryFile(suffix=".pem") as trusted:
        trusted.write(_certificates()[0])
        trusted.flush()
        habits = [DIFFERENCES[name] for name in arguments.difference]
        async with EdgeSimulator(
            faults, pace=pace, differences=habits, port=arguments.port
        ) as service:
            for name, value in service.environ(trusted.name).items():
                sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
            sys.stdout.flush()
            await asyncio.Event().wait()


def main() -> None:
    """Runs the service until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A simulated online speech service.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--mixture", default="{}", help="faults and their shares, as JSON")
    parser.add_argument("--difference", action="append", default=[], help="a habit, by name")
    parser.add_argument("--real", action="store_true", help="as slow as the real service")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
