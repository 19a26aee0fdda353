"""One turn: a request goes out, frames come in until turn.end, every wait has its limit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import aiohttp

from tts_book.backends.edge.error_table import ErrorContext, translate_error
from tts_book.backends.edge.failures import ServiceTrouble, Troubled, of_close
from tts_book.backends.edge.protocol import (
    Boundary,
    parse_binary_frame,
    parse_metadata,
    parse_text_frame,
)
from tts_book.backends.edge.wire_log import WireLog
from tts_book.errors import Failure

# 16 minutes of sound; the service stops at ten (edge.md, 1.5). A bound for memory only.
MOST_AUDIO_BYTES = 6_000_000
# A silence may be found out by this share of its limit too soon.
SLACK_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each step may take, in seconds (edge.md, section 7).

    `turn_start_s` and `first_audio_s` count from the request; `silence_s` lies between any two
    messages. A whole turn may take as long as its sound would play, within the two bounds.
    """

    connect_s: float = 15.0
    turn_start_s: float = 10.0
    first_audio_s: float = 20.0
    silence_s: float = 20.0
    whole_least_s: float = 60.0
    whole_most_s: float = 300.0
    close_s: float = 2.0
    voices_s: float = 20.0
    health_s: float = 6.0

    def whole_s(self, estimated_s: float) -> float:
        """The limit for a turn whose sound is estimated to play so long."""
        return min(self.whole_most_s, max(self.whole_least_s, estimated_s))


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """What goes out: the id and the two frames."""

    id: str
    config: str
    ssml: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A turn that came to its end. `total` is the length of all sound in ticks, where it was
    told; `broken` counts frames whose sound is lost, `unreadable` other frames past reading."""

    audio: bytes
    words: tuple[Boundary, ...] = ()
    sentences: tuple[Boundary, ...] = ()
    total: int | None = None
    broken: int = 0
    unreadable: int = 0

    def __str__(self) -> str:
        lost = f", {self.broken} broken frames" if self.broken else ""
        unread = f", {self.unreadable} unreadable frames" if self.unreadable else ""
        marks = f"words marked: {len(self.words)}, sentences: {len(self.sentences)}"
        return f"{len(self.audio):,} bytes of sound, {marks}{lost}{unread}"


@dataclass(slots=True)
class Turn:
    """Gathers the frames of one turn. Frames of other requests are passed over."""

    request_id: str
    audio: bytearray = field(default_factory=bytearray)
    words: list[Boundary] = field(default_factory=list)
    sentences: list[Boundary] = field(default_factory=list)
    total: int | None = None
    started: bool = False
    ended: bool = False
    broken: int = 0
    unreadable: int = 0

    def take_text(self, message: str) -> None:
        """Takes a text frame; unknown paths only show that the service is alive."""
        frame = parse_text_frame(message)
        if not frame.belongs_to(self.request_id):
            return
        self.started = True
        if frame.path == "turn.end":
            self.ended = True
        elif frame.path == "audio.metadata":
            self._take_metadata(frame.body)

    def _take_metadata(self, body: bytes) -> None:
        metadata = parse_metadata(body)
        if metadata is None:
            self.unreadable += 1
            return
        for boundary in metadata.boundaries:
            (self.words if boundary.kind == "word" else self.sentences).append(boundary)
        self.total = metadata.total or self.total

    def take_binary(self, message: bytes) -> None:
        """Takes a binary frame; its sound is appended as it is."""
        frame = parse_binary_frame(message)
        if frame is None:
            self.broken += len(message) > 2
            self.unreadable += len(message) <= 2
        elif frame.belongs_to(self.request_id) and frame.path == "audio":
            self.started = True
            self.audio += frame.body

    @property
    def heard(self) -> str:
        """How far the answer has come, for a message."""
        if self.audio:
            return f"after {len(self.audio) / 6_000:.1f} s of sound"
        return "before any sound" if self.started else "before the answer began"

    def reply(self) -> Reply:
        """All that came."""
        words, sentences = tuple(self.words), tuple(self.sentences)
        return Reply(bytes(self.audio), words, sentences, self.total, self.broken, self.unreadable)


@dataclass(frozen=True, slots=True)
class _Limits:
    """When the next message must have come: loop times, from when the request was sent."""

    sent_s: float
    whole_s: float
    times: Timeouts

    def at(self, turn: Turn, now_s: float) -> float:
        """The earliest limit that stands now."""
        times = self.times
        at = min(now_s + times.silence_s, self.sent_s + self.whole_s)
        if not turn.audio:
            at = min(at, self.sent_s + times.first_audio_s)
        if not turn.started:
            at = min(at, self.sent_s + times.turn_start_s)
        return at

    def broken(self, turn: Turn, now_s: float) -> str:
        """Which limit was broken, in a message's words."""
        times, past_s = self.times, now_s - self.sent_s
        if past_s >= self.whole_s:
            return f"The answer took longer than {self.whole_s:g} s"
        if not turn.started and past_s >= times.turn_start_s:
            return f"No answer began within {times.turn_start_s:g} s"
        if not turn.audio and past_s >= times.first_audio_s:
            return f"No sound came within {times.first_audio_s:g} s"
        return f"Nothing came for {times.silence_s:g} s {turn.heard}"


async def run_turn(
    socket: aiohttp.ClientWebSocketResponse,
    request: SpeechRequest,
    times: Timeouts,
    whole_s: float,
    log: WireLog,
) -> Reply:
    """Sends `request` and gathers the answer. Raises Troubled where it breaks off."""
    turn = Turn(request.id)
    try:
        async with asyncio.timeout(times.turn_start_s):
            for frame in (request.config, request.ssml):
                log.log_sent(frame)
                await socket.send_str(frame)
    except OSError as error:
        # The service may have closed with a reason before it read all: that tells more.
        trouble = await _why_closed(socket, turn, times) or translate_error(
            error, ErrorContext("sending")
        )
        raise Troubled(trouble) from error
    clock = asyncio.get_running_loop().time
    limits = _Limits(clock(), whole_s, times)
    try:
        # Not the library's own time limit: pings from the service would renew it.
        async with asyncio.timeout(None) as timer:
            while not turn.ended:
                _set(timer, limits.at(turn, clock()), times.silence_s * SLACK_SHARE)
                message = await socket.receive()
                log.log_received(message)
                _take(turn, message, socket)
    except TimeoutError as error:
        trouble = ServiceTrouble(limits.broken(turn, clock()))
        raise Troubled(trouble, started=turn.started) from error
    reply = turn.reply()
    log.note(f"the answer has ended: {reply}")
    return reply


def _set(timer: asyncio.Timeout, at_s: float, slack_s: float) -> None:
    """Moves the limit, but not for a trifle: that would be a third of the work on a message."""
    set_s = timer.when()
    if set_s is None or not 0 <= at_s - set_s <= slack_s:
        timer.reschedule(at_s)


def _take(turn: Turn, message: aiohttp.WSMessage, socket: aiohttp.ClientWebSocketResponse) -> None:
    if message.type is aiohttp.WSMsgType.TEXT:
        turn.take_text(message.data)
    elif message.type is aiohttp.WSMsgType.BINARY:
        turn.take_binary(message.data)
    else:
        trouble = _ended_by(message, socket, turn)
        raise Troubled(trouble, started=turn.started)
    if len(turn.audio) > MOST_AUDIO_BYTES:
        trouble = ServiceTrouble("The answer does not end", failure=Failure.INCOMPLETE)
        raise Troubled(trouble, started=True)


def _ended_by(
    message: aiohttp.WSMessage, socket: aiohttp.ClientWebSocketResponse, turn: Turn
) -> ServiceTrouble:
    if message.type is aiohttp.WSMsgType.CLOSE:
        return of_close(message.data, str(message.extra or ""), turn.heard)
    if isinstance(message.data, BaseException):
        return translate_error(message.data, ErrorContext("receiving the answer"))
    return of_close(socket.close_code, "", turn.heard)


async def _why_closed(
    socket: aiohttp.ClientWebSocketResponse, turn: Turn, times: Timeouts
) -> ServiceTrouble | None:
    try:
        async with asyncio.timeout(times.close_s):
            message = await socket.receive()
    except TimeoutError:
        return None
    return _ended_by(message, socket, turn) if message.type is aiohttp.WSMsgType.CLOSE else None
