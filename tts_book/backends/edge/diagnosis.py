"""One sentence through every step of the online service, with what each step shows today.

For `tts-book doctor --online`: lines that may be shown to anybody.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tts_book import audio
from tts_book.backends import DiagnosisStep
from tts_book.backends.edge.exchange import Patience, Reply, SpeechRequest, run_turn
from tts_book.backends.edge.failures import (
    NO_SOUND,
    ErrorContext,
    ServiceTrouble,
    Troubled,
    translate_error,
)
from tts_book.backends.edge.protocol import (
    TICKS_PER_MS,
    Boundary,
    VoiceName,
    format_config,
    format_ssml_message,
    ssml,
    timestamp,
)
from tts_book.backends.edge.session import EdgeSession, Socket, make_request_id
from tts_book.backends.network import Proxy
from tts_book.errors import AudioError
from tts_book.model import Voice

ENGLISH = "The rain has stopped, and 7 boats are leaving the harbour one after the other."
RUSSIAN = "Дождь кончился, и 7 лодок одна за другой выходят из гавани."
# Reads any language; for voices that read neither English nor Russian.
ENGLISH_VOICE = VoiceName("en-US", "AvaMultilingualNeural")
_WHOLE_S = 60.0
_PORTS = {"wss": 443, "ws": 80}


@dataclass(frozen=True, slots=True)
class _Answer:
    """The reply, and how long it took from the request to its end."""

    reply: Reply
    took_s: float
    words_only: bool


class ServiceDiagnosis:
    """Goes through the steps in order, up to the first that fails."""

    def __init__(self, session: EdgeSession, name: VoiceName | None, voice: Voice) -> None:
        self._session, self._endpoint = session, session.endpoint
        known = name is not None and name.locale.partition("-")[0] in ("en", "ru")
        self._name = name if name is not None and known else ENGLISH_VOICE
        self._voice = voice
        self._text = RUSSIAN if self._name.locale.startswith("ru-") else ENGLISH
        self._clock = asyncio.get_running_loop().time

    async def run(self) -> AsyncIterator[DiagnosisStep]:
        """The steps, each as soon as it is done."""
        step = "edge-tts"
        try:
            yield self._show(step, self._library())
            step = "proxy"
            proxy = self._endpoint.any_proxy()
            if proxy is not None:
                yield self._show(step, f"{proxy} ({proxy.scheme})")
            step = "name"
            yield self._show(step, await self._look_up(proxy))
            step = "TLS"
            if proxy is None:
                yield self._show(step, await self._greet())
            step = "handshake"
            connection, found = await self._shake_hands()
            yield self._show(step, found)
            step = "speech"
            answer = await self._speak(connection)
            if not answer.reply.audio:
                what = f"{self._name.short}: a complete answer came, without sound"
                raise Troubled(ServiceTrouble(what, NO_SOUND))
            yield self._show(step, self._speech(answer))
            step = "sound"
            shape, found = _sound(answer.reply.audio)
            yield self._show("marks", self._marks(answer, shape))
            yield self._show(step, found)
        except Troubled as troubled:
            trouble = troubled.trouble
            yield DiagnosisStep(False, step, self._redacted(trouble.what), trouble.fix)

    def _show(self, step: str, found: str) -> DiagnosisStep:
        return DiagnosisStep(True, step, self._redacted(found))

    def _redacted(self, text: str) -> str:
        return self._endpoint.secrets().redact(text)

    def _library(self) -> str:
        library = self._endpoint.library
        library.check()
        whose = "your own relay" if self._endpoint.speech else "the service"
        return f"{library.version}, token version {library.token_version}; {whose} at {self._host}"

    @property
    def _address(self) -> tuple[str, int, bool]:
        """Host, port, and whether there is TLS."""
        parts = urlsplit(self._endpoint.speech or self._endpoint.library.speech_url)
        port = parts.port or _PORTS.get(parts.scheme, 443)
        return parts.hostname or "", port, parts.scheme != "ws"

    @property
    def _host(self) -> str:
        host, port, _ = self._address
        return f"{host}:{port}"

    async def _look_up(self, proxy: Proxy | None) -> str:
        host, port, _ = self._address
        if proxy is not None and proxy.resolves:
            return f"{host} is looked up by the proxy"
        began_s = self._clock()
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        except OSError as error:
            trouble = translate_error(error, ErrorContext("looking the name up"))
            fix = f"{trouble.fix} A proxy can look it up instead: --proxy socks5h://host:port."
            raise Troubled(ServiceTrouble(trouble.what, fix)) from error
        took_s = self._clock() - began_s
        kinds = [family for family, *_ in found]
        many = f"{kinds.count(socket.AF_INET)} IPv4, {kinds.count(socket.AF_INET6)} IPv6"
        return f"{host} has {many} addresses, looked up in {took_s:.2f} s"

    async def _greet(self) -> str:
        """A connection of its own, only to look at its encryption."""
        host, port, secure = self._address
        if not secure:
            return "none: the address begins with ws://"
        began_s = self._clock()
        try:
            async with asyncio.timeout(self._session.times.connect_s):
                context = self._session.get_tls()
                _, writer = await asyncio.open_connection(host, port, ssl=context)
        except OSError as error:
            context_of = ErrorContext("connecting", "", False)
            raise Troubled(translate_error(error, context_of)) from error
        took_s = self._clock() - began_s
        found = _describe_tls(writer.get_extra_info("ssl_object"))
        writer.transport.abort()
        return f"{found}, connected in {took_s:.2f} s"

    async def _shake_hands(self) -> tuple[Socket, str]:
        began_s = self._clock()
        connection = await self._session.open_socket(self._session.open_log("doctor"))
        took_s = self._clock() - began_s
        found = f"accepted after {took_s:.2f} s (connection, TLS and upgrade)"
        skew_s = self._session.clock.skew_s
        if skew_s:
            way = "behind" if skew_s > 0 else "ahead of"
            found += f"; this computer's clock is {abs(skew_s):,.0f} s {way} the service's"
        return connection, found

    async def _speak(self, connection: Socket) -> _Answer:
        try:
            return await self._ask(connection, sentences=True)
        except Troubled as troubled:
            if not troubled.trouble.of_config or troubled.started:
                raise
        another, _ = await self._shake_hands()
        return await self._ask(another, sentences=False)

    async def _ask(self, connection: Socket, *, sentences: bool) -> _Answer:
        session, request_id = self._session, make_request_id(self._session.chance)
        stamp = timestamp(session.clock.server_s())
        message = format_ssml_message(request_id, stamp, ssml(self._text, self._name, self._voice))
        request = SpeechRequest(
            request_id, format_config(stamp, sentences=sentences), message, "harbour"
        )
        began_s = self._clock()
        log = session.open_log(request_id)
        async with connection:
            reply = await run_turn(connection, request, Patience(session.times), _WHOLE_S, log)
            took_s = self._clock() - began_s
        return _Answer(reply, took_s, words_only=not sentences)

    def _speech(self, answer: _Answer) -> str:
        pace = answer.reply.pace
        size = len(answer.reply.audio)
        return (
            f"{self._name.short}: first message after {pace.start_s:.2f} s, first sound after "
            f"{pace.first_audio_s:.2f} s, all {size:,} bytes after {answer.took_s:.2f} s"
        )

    def _marks(self, answer: _Answer, shape: audio.SpeechShape) -> str:
        words, sentences = answer.reply.words, answer.reply.sentences
        found = f"{len(words)} of {len(self._text.split())} words, {len(sentences)} sentences"
        if answer.words_only:
            found += " (both kinds at once are refused)"
        marks = words or sentences
        if not marks:
            return f"{found}: replies can be checked by length and silence only"
        first_ms = min(mark.start for mark in marks) // TICKS_PER_MS
        last_ms = max(mark.stop for mark in marks) // TICKS_PER_MS
        order = "in order" if _are_in_order(marks) else "out of order"
        shift = shape.begins_ms - first_ms
        where = f"{abs(shift)} ms {'before' if shift >= 0 else 'after'} the sound begins"
        tail_ms = shape.length_ms - last_ms
        return f"{found}, {order}; the first {where}, the last ends {tail_ms} ms before its end"


def _are_in_order(marks: tuple[Boundary, ...]) -> bool:
    starts = [mark.start for mark in marks]
    return starts == sorted(starts)


def _describe_tls(secured: ssl.SSLObject | None) -> str:
    if secured is None:
        return "not encrypted"
    certificate: dict[str, Any] = secured.getpeercert() or {}
    issuer = {name: value for pairs in certificate.get("issuer", ()) for name, value in pairs}
    by = issuer.get("organizationName") or issuer.get("commonName") or "?"
    ends_s = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    until = time.strftime("%Y-%m-%d", time.gmtime(ends_s))
    return f"{secured.version()}, certificate by {by} until {until}"


def _sound(data: bytes) -> tuple[audio.SpeechShape, str]:
    """The shape of the sound, and what kind it is. Raises Troubled."""
    try:
        received = audio.read_sound(data)
    except AudioError as error:
        trouble = ServiceTrouble(f"The sound cannot be decoded: {str(error).rstrip('.')}")
        raise Troubled(trouble) from error
    shape = audio.measure_speech(received.pcm, received.rate_hz)
    try:
        form = audio.format_at(audio.frames_of(data))
        kind = f"MP3, {form.rate_hz:,} Hz, mono, {form.kbps} kbit/s"
    except AudioError as error:
        kind = f"{received.rate_hz:,} Hz, to be encoded again ({str(error).rstrip('.')})"
    edges = f"silence of {shape.begins_ms} ms before and {shape.length_ms - shape.ends_ms} ms after"
    lasting = f"{shape.length_ms / 1_000:.2f} s"
    missing = f"; missing: {received.missing}" if received.missing else ""
    return shape, f"{kind}, {lasting}, {edges} the speech{missing}"
