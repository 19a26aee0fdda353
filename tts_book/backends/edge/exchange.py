"""One turn: a request goes out, frames come in until turn.end; every wait has a time limit.

The limits come first: they grow with what the service shows, and say what stalls mean. That part is
arithmetic on values; all times are seconds, given by the caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from dataclasses import dataclass, field

import aiohttp

from tts_book.backends.edge.alignment import fold
from tts_book.backends.edge.failures import (
    ErrorContext,
    ServiceTrouble,
    Troubled,
    of_close,
    translate_error,
)
from tts_book.backends.edge.protocol import (
    Boundary,
    parse_binary_frame,
    parse_metadata,
    parse_text_frame,
)
from tts_book.backends.edge.wire_log import WireLog
from tts_book.errors import Failure

# So many whole replies show how quick a service is; the slowest of the last ones decides.
PROVEN_TURNS = 3
REMEMBERED_TURNS = 20
# A limit is this many times what was the slowest so far.
TIMES_SLOWEST = 3.0
# Each answer in a row that began and then stalled lengthens the limits by so much.
STALL_FACTOR = 1.5
LONGEST_S = 120.0
# An answer that has come so far is under way, also where all of it was marks: marks travel ahead
# of the sound.
UNDER_WAY_BYTES = 8_192
# Filters on the way let 16 to 20 kB through and then nothing. Three stalls at about the same size
# are no accident.
FREEZES = 3
ALIKE_SHARE, ALIKE_BYTES = 0.25, 4_096
# Marks that come after the end of the turn are waited for until it was in vain so often.
LATE_MARKS_TRIES = 3

FROZEN_FIX = (
    "A filter on the way does that. What helps: a VPN or a proxy (--proxy URL, also socks5h://), "
    "a relay of your own, or a voice on this machine (--backend piper)."
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each step may take, in seconds.

    `turn_start_s` and `first_audio_s` count from the request; `silence_s` lies between any two
    messages. A whole turn may take as long as its sound would play, counted from its first sound
    and within the two bounds. The `unproven` limits hold until a service has shown its pace.
    """

    connect_s: float = 15.0
    turn_start_s: float = 10.0
    first_audio_s: float = 20.0
    silence_s: float = 20.0
    unproven_turn_start_s: float = 27.0
    unproven_first_audio_s: float = 60.0
    whole_least_s: float = 60.0
    whole_most_s: float = 300.0
    late_marks_s: float = 0.5
    close_s: float = 2.0
    voices_s: float = 20.0
    health_s: float = 6.0

    def whole_s(self, estimated_s: float) -> float:
        """The limit for a turn whose sound is estimated to play so long."""
        return min(self.whole_most_s, max(self.whole_least_s, estimated_s))


@dataclass(frozen=True, slots=True)
class Pace:
    """When things came in a turn: first message and first sound, counted from the request, and the
    longest silence between two messages after that. `size_bytes` is that of all messages."""

    start_s: float = 0.0
    first_audio_s: float = 0.0
    gap_s: float = 0.0
    size_bytes: int = 0


AT_ONCE = Pace()


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """How long the next turn may stay silent: before its first message, before its first sound,
    and between two messages once it is under way."""

    start_s: float
    first_audio_s: float
    silence_s: float


@dataclass(slots=True)
class Patience:
    """What the turns of a run have shown so far.

    Nothing is known of a service at first, and it gets more time than the usual one needs. Once
    some replies came whole, the slowest of them decides. An answer that began and then stalled is
    a sign of a slow service rather than of a dead one: the next gets longer.
    """

    times: Timeouts
    _recent: deque[Pace] = field(default_factory=lambda: deque(maxlen=REMEMBERED_TURNS))
    _stalls_in_row: int = 0
    _stalled_at: deque[int] = field(default_factory=lambda: deque(maxlen=FREEZES))
    _longest_whole_bytes: int = 0
    _late_marks_in_vain: int = 0

    def limits(self) -> TurnLimits:
        """The limits for the next turn."""
        times, proven = self.times, len(self._recent) >= PROVEN_TURNS
        start_s = times.turn_start_s if proven else times.unproven_turn_start_s
        first_audio_s = times.first_audio_s if proven else times.unproven_first_audio_s
        factor = STALL_FACTOR**self._stalls_in_row
        return TurnLimits(
            self._stretched(start_s, [pace.start_s for pace in self._recent], factor),
            self._stretched(first_audio_s, [pace.first_audio_s for pace in self._recent], factor),
            self._stretched(times.silence_s, [pace.gap_s for pace in self._recent], factor),
        )

    @staticmethod
    def _stretched(least_s: float, seen_s: list[float], factor: float) -> float:
        slowest_s = TIMES_SLOWEST * max(seen_s, default=0.0)
        return min(max(least_s, slowest_s) * factor, max(LONGEST_S, least_s))

    def learn_whole(self, pace: Pace) -> None:
        """A reply came to its end."""
        self._recent.append(pace)
        self._stalls_in_row = 0
        self._longest_whole_bytes = max(self._longest_whole_bytes, pace.size_bytes)

    def learn_stall(self, pace: Pace) -> ServiceTrouble | None:
        """A reply stalled. What that means where it is more than an accident: the line freezes."""
        if pace.size_bytes < UNDER_WAY_BYTES:
            self._stalls_in_row += pace.size_bytes > 0
            return None
        self._stalled_at.append(pace.size_bytes)
        if not self._may_freeze():
            self._stalls_in_row += 1
        # Else that is to be found out soon, without growing patience.
        if len(self._stalled_at) < FREEZES or not self._may_freeze():
            return None
        kilobytes = round(sum(self._stalled_at) / len(self._stalled_at) / 1_000)
        what = (
            f"The connection freezes: {FREEZES} answers stopped after about {kilobytes} kB, and "
            "no longer one came whole"
        )
        return ServiceTrouble(what, FROZEN_FIX, Failure.MISCONFIGURED, stops_run=True)

    def _may_freeze(self) -> bool:
        least, most = min(self._stalled_at), max(self._stalled_at)
        alike = most - least <= max(ALIKE_BYTES, ALIKE_SHARE * least)
        return alike and self._longest_whole_bytes <= most

    @property
    def awaits_late_marks(self) -> bool:
        """Whether marks may still come after a turn's end."""
        return self._late_marks_in_vain < LATE_MARKS_TRIES

    def learn_late_marks(self, *, came: bool) -> None:
        """Marks were missing at a turn's end, and were waited for."""
        self._late_marks_in_vain = -LATE_MARKS_TRIES if came else self._late_marks_in_vain + 1


# 16 minutes of sound; the service stops at ten. A bound for memory only.
MOST_AUDIO_BYTES = 6_000_000
# A silence may be found out by this share of its limit too soon.
SLACK_SHARE = 0.02
_IN_ORDER = aiohttp.WSCloseCode.OK


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """What goes out: the id and the two frames. `ending` are the last letters of the text, folded:
    marks that do not reach them are not complete."""

    id: str
    config: str
    ssml: str
    ending: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A turn that came to its end. `total` is the length of all sound in ticks, where the service
    said it; `broken` counts frames whose sound is lost, `unreadable` other frames past reading.
    `ended` is false where the connection was closed in order before the turn's end."""

    audio: bytes
    words: tuple[Boundary, ...] = ()
    sentences: tuple[Boundary, ...] = ()
    total: int | None = None
    broken: int = 0
    unreadable: int = 0
    pace: Pace = AT_ONCE
    ended: bool = True

    def __str__(self) -> str:
        lost = f", {self.broken} broken frames" if self.broken else ""
        unread = f", {self.unreadable} unreadable frames" if self.unreadable else ""
        marks = f"words marked: {len(self.words)}, sentences: {len(self.sentences)}"
        return f"{len(self.audio):,} bytes of sound, {marks}{lost}{unread}"


@dataclass(slots=True)
class Turn:
    """Gathers the frames of one turn; frames of other requests are skipped. Times are the loop's,
    `size_bytes` is that of all messages. Length and headers of a frame of sound, `audio_head`, are
    the same for hundreds of frames, and are read once."""

    request: SpeechRequest
    sent_s: float = 0.0
    audio: bytearray = field(default_factory=bytearray)
    audio_head: bytes = b""
    words: list[Boundary] = field(default_factory=list)
    sentences: list[Boundary] = field(default_factory=list)
    total: int | None = None
    started_s: float | None = None
    first_audio_s: float | None = None
    last_s: float = 0.0
    gap_s: float = 0.0
    size_bytes: int = 0
    ended: bool = False
    closed: bool = False
    broken: int = 0
    unreadable: int = 0

    def take_text(self, message: str, now_s: float) -> None:
        """Takes a text frame; unknown paths only show that the service is alive."""
        self.size_bytes += len(message)
        self._came(now_s)
        frame = parse_text_frame(message)
        if not frame.belongs_to(self.request.id):
            return
        self._starts(now_s)
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

    def take_binary(self, message: bytes, now_s: float) -> None:
        """Takes a binary frame; its sound is appended as it is."""
        self.size_bytes += len(message)
        self._came(now_s)
        head = self.audio_head
        if head and message.startswith(head):
            self.audio += message[len(head) :]
            return
        frame = parse_binary_frame(message)
        if frame is None:
            self.broken += len(message) > 2
            self.unreadable += len(message) <= 2
        elif frame.belongs_to(self.request.id) and frame.path == "audio":
            self._starts(now_s)
            if frame.body and self.first_audio_s is None:
                self.first_audio_s = now_s
            self.audio += frame.body
            self.audio_head = message[: len(message) - len(frame.body)] if frame.body else head

    def _starts(self, now_s: float) -> None:
        if self.started_s is None:
            self.started_s = now_s

    def _came(self, now_s: float) -> None:
        if self.under_way and now_s - self.last_s > self.gap_s:
            self.gap_s = now_s - self.last_s
        self.last_s = now_s

    @property
    def under_way(self) -> bool:
        """Whether so much has come that the rest should follow without long silences."""
        return bool(self.audio) or self.size_bytes >= UNDER_WAY_BYTES

    @property
    def marks_reach_the_end(self) -> bool:
        """Whether one of the last marks is that of the text's last letters."""
        # The mark of a sentence comes before those of its words.
        said = (fold(boundary.text) for boundary in (self.words or self.sentences)[-3:])
        ending = self.request.ending
        return not ending or any(s and (ending.endswith(s) or s.endswith(ending)) for s in said)

    @property
    def started(self) -> bool:
        """Whether anything came that belongs to this turn."""
        return self.started_s is not None

    @property
    def progress(self) -> str:
        """How far the answer has come, for a message."""
        if self.audio:
            return f"after {len(self.audio) / 6_000:.1f} s of sound"
        return "before any sound" if self.started else "before the answer began"

    @property
    def pace(self) -> Pace:
        """When things came."""
        start_s = 0.0 if self.started_s is None else self.started_s - self.sent_s
        audio_s = 0.0 if self.first_audio_s is None else self.first_audio_s - self.sent_s
        return Pace(start_s, audio_s, self.gap_s, self.size_bytes)

    def reply(self) -> Reply:
        """All that came."""
        words, sentences = tuple(self.words), tuple(self.sentences)
        marks, lost = (words, sentences), (self.broken, self.unreadable)
        return Reply(bytes(self.audio), *marks, self.total, *lost, self.pace, self.ended)


@dataclass(frozen=True, slots=True)
class _Deadlines:
    """When the next message of a turn must have come, in the loop's time."""

    limits: TurnLimits
    whole_s: float

    def next_s(self, turn: Turn, now_s: float) -> float:
        """The earliest deadline now."""
        if turn.first_audio_s is not None:
            return min(now_s + self.limits.silence_s, turn.first_audio_s + self.whole_s)
        at_s = turn.sent_s + self.limits.first_audio_s
        if turn.under_way:
            at_s = min(at_s, now_s + max(self.limits.silence_s, self.limits.start_s))
        if not turn.started:
            at_s = min(at_s, turn.sent_s + self.limits.start_s)
        return at_s

    def missed(self, turn: Turn, now_s: float) -> str:
        """Which deadline was missed, in a message's words."""
        past_s = now_s - turn.sent_s
        if turn.first_audio_s is not None and now_s - turn.first_audio_s >= self.whole_s:
            return f"The answer took longer than {self.whole_s:g} s"
        if not turn.started and past_s >= self.limits.start_s:
            return f"No answer began within {self.limits.start_s:g} s"
        if not turn.audio and past_s >= self.limits.first_audio_s:
            return f"No sound came within {self.limits.first_audio_s:g} s"
        return f"Nothing came for {now_s - turn.last_s:.0f} s {turn.progress}"


async def run_turn(
    socket: aiohttp.ClientWebSocketResponse,
    request: SpeechRequest,
    patience: Patience,
    whole_s: float,
    log: WireLog,
) -> Reply:
    """Sends `request` and gathers the answer, whose sound may take `whole_s` to come. Raises
    Troubled where it breaks off."""
    clock = asyncio.get_running_loop().time
    limits = patience.limits()
    turn = Turn(request)
    await _send(socket, turn, limits, patience.times.close_s, log)
    turn.sent_s = turn.last_s = clock()
    deadlines = _Deadlines(limits, whole_s)
    try:
        # Not the library's own time limit: pings from the service would renew it.
        async with asyncio.timeout(None) as timer:
            slack_s, set_s = limits.silence_s * SLACK_SHARE, -math.inf
            while not (turn.ended or turn.closed):
                # Not for every frame of sound: that would be a third of the work on a frame.
                if turn.last_s - set_s > slack_s:
                    timer.reschedule(deadlines.next_s(turn, turn.last_s))
                    set_s = turn.last_s if turn.audio else -math.inf
                message = await socket.receive()
                log.log_received(message)
                _take(turn, message, socket, clock())
    except TimeoutError as error:
        frozen = patience.learn_stall(turn.pace)
        trouble = frozen or ServiceTrouble(deadlines.missed(turn, clock()))
        raise Troubled(trouble, started=turn.started) from error
    patience.learn_whole(turn.pace)
    if turn.audio and turn.ended and not turn.marks_reach_the_end and patience.awaits_late_marks:
        await _await_late_marks(socket, turn, patience, log)
    reply = turn.reply()
    log.note(f"the answer has ended: {reply}")
    return reply


async def _send(
    socket: aiohttp.ClientWebSocketResponse,
    turn: Turn,
    limits: TurnLimits,
    close_s: float,
    log: WireLog,
) -> None:
    try:
        async with asyncio.timeout(limits.start_s):
            for frame in (turn.request.config, turn.request.ssml):
                log.log_sent(frame)
                await socket.send_str(frame)
    except OSError as error:
        # The service may have closed with a reason before it read all: that says more.
        trouble = await _why_closed(socket, turn, close_s)
        raise Troubled(trouble or translate_error(error, ErrorContext("sending"))) from error


async def _await_late_marks(
    socket: aiohttp.ClientWebSocketResponse, turn: Turn, patience: Patience, log: WireLog
) -> None:
    """Marks may come after the end of a turn, but for a short time only. What else happens to the
    connection meanwhile does not matter: the turn has ended."""
    clock = asyncio.get_running_loop().time
    known = len(turn.words)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience.times.late_marks_s):
            while not turn.marks_reach_the_end:
                message = await socket.receive()
                log.log_received(message)
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                turn.take_text(message.data, clock())
    patience.learn_late_marks(came=len(turn.words) > known)


def _take(
    turn: Turn, message: aiohttp.WSMessage, socket: aiohttp.ClientWebSocketResponse, now_s: float
) -> None:
    if message.type is aiohttp.WSMsgType.BINARY:
        turn.take_binary(message.data, now_s)
    elif message.type is aiohttp.WSMsgType.TEXT:
        turn.take_text(message.data, now_s)
    elif turn.audio and message.type is aiohttp.WSMsgType.CLOSE and message.data == _IN_ORDER:
        turn.closed = (
            True  # some services may end their turns so; what came shows whether it is all
        )
    else:
        trouble = _closed_by(message, socket, turn)
        raise Troubled(trouble, started=turn.started)
    if len(turn.audio) > MOST_AUDIO_BYTES:
        trouble = ServiceTrouble("The answer does not end", failure=Failure.INCOMPLETE)
        raise Troubled(trouble, started=True)


def _closed_by(
    message: aiohttp.WSMessage, socket: aiohttp.ClientWebSocketResponse, turn: Turn
) -> ServiceTrouble:
    if message.type is aiohttp.WSMsgType.CLOSE:
        return of_close(message.data, str(message.extra or ""), turn.progress)
    if isinstance(message.data, BaseException):
        return translate_error(message.data, ErrorContext("receiving the answer"))
    return of_close(socket.close_code, "", turn.progress)


async def _why_closed(
    socket: aiohttp.ClientWebSocketResponse, turn: Turn, close_s: float
) -> ServiceTrouble | None:
    try:
        async with asyncio.timeout(close_s):
            message = await socket.receive()
    except TimeoutError:
        return None
    return _closed_by(message, socket, turn) if message.type is aiohttp.WSMsgType.CLOSE else None
