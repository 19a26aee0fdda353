"""The online voices of Microsoft Edge: one request a chunk, every answer checked before it counts.

`speak` never repeats a request that failed; the caller does. Two things it mends by itself, once
each: a wrong clock (told by the server's Date), and a service that refuses sentence marks.
"""

from __future__ import annotations

import asyncio
import difflib
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tts_book.audio import DELAY_MS
from tts_book.backends import DiagnosisStep, Health, Limits, Settings, VoiceInfo
from tts_book.backends.edge.alignment import folded, marks_of, place, unwrapped
from tts_book.backends.edge.endpoint import Endpoint, ServerClock
from tts_book.backends.edge.exchange import Reply, SpeechRequest, run_turn
from tts_book.backends.edge.failures import NO_SOUND, ServiceTrouble, Troubled
from tts_book.backends.edge.library import EdgeTts
from tts_book.backends.edge.patience import Patience, Timeouts
from tts_book.backends.edge.protocol import (
    MOST_TEXT_BYTES,
    OUTPUT_FORMAT,
    TICKS_PER_MS,
    VoiceName,
    clean_text,
    count_bytes,
    format_config,
    format_ssml_message,
    parse_voice_name,
    ssml,
    timestamp,
)
from tts_book.backends.edge.reply_checks import (
    TICKS_PER_S,
    Habits,
    ReplyFinding,
    SpokenRequest,
    check,
    estimate_s,
    last_tick,
    sound_s,
)
from tts_book.backends.edge.session import EdgeSession, make_request_id
from tts_book.backends.edge.wire_log import WireLog
from tts_book.errors import BackendIncomplete, Failure
from tts_book.model import Mark, Speech, Voice


def make(settings: Settings) -> EdgeBackend:
    """The backend with all its defaults."""
    return EdgeBackend(settings)


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A text ready to be sent, and what is expected of its sound."""

    sent: str
    name: VoiceName
    voice: Voice
    spoken: SpokenRequest
    habits: Habits
    log: WireLog


class EdgeBackend:
    """Speaks through the service that Edge reads aloud with.

    `speech_url` and `voices_url` name another server (see Endpoint), `tls` its
    certificates. `monotonic`, `wall` (seconds) and `chance` stand for time and luck.
    """

    name = "edge"
    limits = Limits(start=2, most=4, spacing_s=0.2)

    def __init__(
        self,
        settings: Settings,
        *,
        speech_url: str | None = None,
        voices_url: str | None = None,
        tls: ssl.SSLContext | None = None,
        timeouts: Timeouts | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        chance: random.Random | None = None,
        library: EdgeTts | None = None,
    ) -> None:
        self._times = timeouts or Timeouts()
        self._patience = Patience(self._times)
        self._monotonic = monotonic
        self._clock = ServerClock(wall)
        self._chance = chance or random.SystemRandom()
        self._endpoint = Endpoint.of(settings, speech_url, voices_url, library or EdgeTts())
        self._session = EdgeSession(
            self._endpoint,
            self._clock,
            self._times,
            self._chance,
            settings.environ,
            tls,
        )
        self._habits: dict[str, Habits] = {}
        self._sentences = True  # ask for sentence marks, until the service refuses them
        self._sentences_proven = False
        self._listed: tuple[VoiceInfo, ...] = ()
        self._listing: asyncio.Task[tuple[VoiceInfo, ...]] | None = None

    def fingerprint(self, voice: Voice) -> str:
        """The service and its output format; voice, rate and such are keyed by the caller."""
        return f"edge/{OUTPUT_FORMAT}"

    async def aclose(self) -> None:
        """Closes what is open. The backend may be used again."""
        listing, self._listing = self._listing, None
        if listing is not None and listing.get_loop() is asyncio.get_running_loop():
            listing.cancel()
            await asyncio.wait([listing])
        await self._session.aclose()

    async def voices(self) -> tuple[VoiceInfo, ...]:
        """All voices that the service lists, asked for once: it is a long list. Raises
        BackendError."""
        if self._listed:
            return self._listed
        try:
            return await self._list(self._times.voices_s)
        except Troubled as troubled:
            raise troubled.trouble.error() from troubled

    async def health(self) -> Health:
        """Asks for the list of voices, and where that fails, whether speech can be had all the
        same; for some seconds at most. Never raises BackendError."""
        began_s, limit_s = self._monotonic(), self._times.health_s
        try:
            self._endpoint.library.check()
            found = await self._list(limit_s)
            detail = f"{len(found)} voices, answered in {self._monotonic() - began_s:.1f} s"
        except Troubled as troubled:
            trouble = await self._session.find_obstacle(troubled.trouble, limit_s)
            if trouble is not None:
                return Health(False, trouble.what, trouble.mend)
            detail = f"it answers, but not with its voices ({troubled.trouble.what})"
        proxy = self._endpoint.any_proxy()
        detail += f" through the proxy {proxy}" if proxy else ""
        skew_min = self._clock.skew_s / 60
        if not skew_min:
            return Health(True, detail)
        off = f"; this computer's clock is {abs(skew_min):.0f} min {_off(skew_min)}"
        return Health(True, detail + off, "Set this computer's clock.")

    def preconnect(self) -> None:
        """The next connection is opened while the next reply comes."""
        self._session.preconnect()

    def diagnose(self, voice: Voice) -> AsyncIterator[DiagnosisStep]:
        """What the service does today, step by step."""
        from tts_book.backends.edge.diagnosis import ServiceDiagnosis

        return ServiceDiagnosis(self._session, parse_voice_name(voice.id), voice).run()

    async def speak(self, text: str, voice: Voice) -> Speech:
        """Speaks `text` (at most 3,500 bytes after XML escaping) in one request.

        Marks count characters of `text`. Raises BackendError only; BackendIncomplete carries the
        doubtful `speech` where no sound is known to be missing.
        """
        return (await self.hear(text, voice))()

    async def hear(self, text: str, voice: Voice) -> Callable[[], Speech]:
        """The answer to `text`, not checked yet: the call that is given back checks it."""
        try:
            name = parse_voice_name(voice.id)
            if name is None:
                raise Troubled(_unknown(voice.id, await self._list_once()))
            prompt = self._prompt(text, name, voice)
            reply = await self._reply(prompt)
            if not reply.audio:
                raise Troubled(await self._no_audio(prompt))
        except Troubled as troubled:
            raise troubled.trouble.error() from troubled
        return partial(self._checked, prompt, reply)

    async def _list(self, limit_s: float) -> tuple[VoiceInfo, ...]:
        self._listed = await self._session.list_voices(limit_s)
        return self._listed

    def _prompt(self, text: str, name: VoiceName, voice: Voice) -> _Prompt:
        sent, letters = clean_text(text), folded(text)
        if not letters.letters:
            what = "The text holds no letter and no digit"
            raise Troubled(ServiceTrouble(what, "There is nothing to speak.", Failure.BAD_REQUEST))
        size = count_bytes(sent)
        if size > MOST_TEXT_BYTES:
            what = f"The text has {size} bytes, more than the {MOST_TEXT_BYTES} of one request"
            raise Troubled(ServiceTrouble(what, "Send it in parts.", Failure.TOO_LONG))
        speed = max(0.1, 1 + voice.rate_pct / 100)
        habits = self._habits.setdefault(f"{name.short} {voice.rate_pct:+d}", Habits())
        tail_s, spread_s = habits.tail_s, habits.tail_spread_s
        spoken = SpokenRequest(letters, name.locale, speed, tail_s, habits.unmarked, spread_s)
        return _Prompt(sent, name, voice, spoken, habits, self._session.open_log())

    async def _reply(self, prompt: _Prompt) -> Reply:
        """The answer, asked for without sentence marks if the service refuses to give both."""
        both = self._sentences
        try:
            reply = await self._turn(prompt, sentences=both)
        except Troubled as troubled:
            refused = troubled.trouble.of_config and not troubled.started
            if not (refused and both) or self._sentences_proven:
                raise
        else:
            self._sentences_proven |= both and bool(reply.words)
            if reply.words or not reply.audio or not both or self._sentences_proven:
                return reply
        reply = await self._turn(prompt, sentences=False)
        if reply.words and not self._sentences_proven:
            self._sentences = False
        return reply

    async def _turn(self, prompt: _Prompt, *, sentences: bool) -> Reply:
        spoken = prompt.spoken
        length_s = estimate_s(len(spoken.text.letters), spoken.language, spoken.speed)
        limit_s = self._times.whole_s(length_s)
        request_id, log = make_request_id(self._chance), prompt.log
        log.begin(request_id)
        async with self._session.connect(log) as socket:
            request = self._request(prompt, request_id, sentences=sentences)
            return await run_turn(socket, request, self._patience, limit_s, log)

    def _request(self, prompt: _Prompt, request_id: str, *, sentences: bool) -> SpeechRequest:
        stamp = timestamp(self._clock.server_s())
        body = ssml(prompt.sent, prompt.name, prompt.voice)
        config = format_config(stamp, sentences=sentences)
        message = format_ssml_message(request_id, stamp, body)
        return SpeechRequest(request_id, config, message, prompt.spoken.text.letters[-40:])

    async def _no_audio(self, prompt: _Prompt) -> ServiceTrouble:
        """A complete answer without sound: the voice may be gone, or the service has a bad day.
        The list of voices tells which."""
        listed = await self._list_once()
        if listed and prompt.name.short not in {info.id for info in listed}:
            return _unknown(prompt.voice.id, listed)
        what = "A complete answer came, without any sound"
        return ServiceTrouble(what, NO_SOUND, Failure.NO_AUDIO)

    async def _list_once(self) -> tuple[VoiceInfo, ...]:
        """The list of voices, asked for once a run at most; empty where it cannot be had. All who
        ask meanwhile wait for the same answer."""
        if self._listed:
            return self._listed
        loop = asyncio.get_running_loop()
        if self._listing is None or self._listing.get_loop() is not loop:
            self._listing = asyncio.create_task(self._list_if_possible())
        return await asyncio.shield(self._listing)

    async def _list_if_possible(self) -> tuple[VoiceInfo, ...]:
        try:
            return await self._list(self._times.health_s)
        except Troubled:
            # It was wanted for an explanation only, and the failure at hand is reported anyway.
            return ()

    def _checked(self, prompt: _Prompt, reply: Reply) -> Speech:
        """The reply as Speech. Raises BackendIncomplete where the checks find anything."""
        words = place(prompt.spoken.text, unwrapped(reply.words))
        sentences = place(prompt.spoken.text, unwrapped(reply.sentences))
        findings = check(reply, prompt.spoken, words, sentences)
        end_tick = last_tick(words, sentences)
        doubts = tuple(finding.what for finding in findings)
        marks = marks_of(prompt.spoken.text, words, sentences)
        heard = tuple(_as_heard(mark, round(sound_s(reply) * 1_000)) for mark in marks)
        speech = Speech(reply.audio, "mp3", marks=heard, doubts=doubts)
        certain = any(finding.certain for finding in findings)
        if words and not certain:
            prompt.habits.learn_words(prompt.spoken.text, words)
        if end_tick and not certain:
            # Doubtful tails count, too: if this voice is restless, that is how it shows.
            prompt.habits.learn_tail(sound_s(reply) - end_tick / TICKS_PER_S)
        prompt.log.note(f"checked: {'; '.join(map(str, findings)) or 'all is well'}")
        if findings:
            lengths_ms = (round(sound_s(reply) * 1_000), end_tick // TICKS_PER_MS)
            raise _incomplete(findings, speech, lengths_ms)
        return speech


def _as_heard(mark: Mark, sound_ms: int) -> Mark:
    """The service's times are those of its sound before it was encoded."""
    start_ms = min(mark.start_ms + DELAY_MS, sound_ms)
    stop_ms = min(mark.stop_ms + DELAY_MS, sound_ms)
    return replace(mark, start_ms=start_ms, stop_ms=max(start_ms, stop_ms))


def _incomplete(
    findings: Sequence[ReplyFinding], speech: Speech, print_of_reply: tuple[int, int]
) -> BackendIncomplete:
    """Speech goes with it only where no sound is known to be missing."""
    certain = any(finding.certain for finding in findings)
    told = "; ".join(finding.what for finding in findings)
    message = f"The answer is {'incomplete' if certain else 'doubtful'}: {told}."
    return BackendIncomplete(
        message, print_of_reply=print_of_reply, speech=None if certain else speech
    )


def _unknown(voice_id: str, listed: Iterable[VoiceInfo]) -> ServiceTrouble:
    close = difflib.get_close_matches(voice_id, [info.id for info in listed], n=3, cutoff=0.5)
    mend = f"Did you mean {' or '.join(close)}?" if close else "See tts-book voices."
    what = f'The online service has no voice "{voice_id}"'
    return ServiceTrouble(what, mend, Failure.MISCONFIGURED, stops_run=True)


def _off(skew_min: float) -> str:
    return "slow" if skew_min > 0 else "fast"
