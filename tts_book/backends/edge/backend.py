"""The online voices of Microsoft Edge: one request a chunk, every answer checked before it counts.

`speak` never repeats a request that failed; the caller does. Two things it repairs by itself, once
each: a wrong clock (by the server's Date), and a service that refuses sentence marks.
"""

from __future__ import annotations

import asyncio
import difflib
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from tts_book.backends import (
    DiagnosisStep,
    Health,
    Limits,
    ProofTexts,
    Settings,
    Span,
    Verdict,
    VoiceInfo,
)
from tts_book.backends.edge.alignment import folded
from tts_book.backends.edge.endpoint import EdgeTts, Endpoint, ServerClock
from tts_book.backends.edge.exchange import Patience, Reply, SpeechRequest, Timeouts, run_turn
from tts_book.backends.edge.failures import NO_SOUND, ServiceTrouble, Troubled
from tts_book.backends.edge.jury import ExaminedReply, HeardReply, Jury
from tts_book.backends.edge.measured_reply import AskedText, estimate_s, words_of
from tts_book.backends.edge.protocol import (
    MOST_TEXT_BYTES,
    OUTPUT_FORMAT,
    VoiceName,
    clean_text,
    count_bytes,
    format_config,
    format_ssml_message,
    parse_voice_name,
    ssml,
    timestamp,
)
from tts_book.backends.edge.session import EdgeSession, make_request_id
from tts_book.backends.edge.wire_log import WireLog
from tts_book.errors import BackendIncomplete, Failure
from tts_book.model import Doubt, Speech, Voice

# A list that just failed is not waited for again at once: nobody needs it to speak.
LIST_AGAIN_S = 60.0


def make(settings: Settings) -> EdgeBackend:
    """The backend with all its defaults."""
    return EdgeBackend(settings)


class _Marks(Enum):
    """Which marks are asked for."""

    BOTH = "words and sentences"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A text ready to be sent, and what is expected of its sound."""

    sent: str
    name: VoiceName
    voice: Voice
    voice_key: str
    asked: AskedText
    log: WireLog


class EdgeBackend:
    """Speaks through the service that Edge reads aloud with.

    `speech_url` and `voices_url` name another server (see Endpoint), `tls` its
    certificates. `monotonic`, `wall` (seconds) and `chance` stand for time and luck.
    """

    name = "edge"
    limits = Limits(start=2, most=4, spacing_s=0.3, online=True)

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
        self._jury = Jury()
        self._marks = _Marks.BOTH
        self._marks_proven = False  # words came: what is asked for now is understood
        self._words_alone_tried = False
        self._listed: tuple[VoiceInfo, ...] = ()
        self._no_list: Troubled | None = None
        self._no_list_until_s = 0.0
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
            if self._monotonic() < self._no_list_until_s and self._no_list is not None:
                raise self._no_list
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
                return Health(False, trouble.what, trouble.fix)
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
        """Speaks `text` (at most 3,500 bytes after XML escaping) in one request, and judges the
        reply by what is known of the voice so far.

        Marks count characters of `text`. Raises BackendError only; BackendIncomplete carries the
        verdict on a reply of which something may be missing.
        """
        examined = (await self.hear(text, voice)).examine()
        self.enter(examined)
        verdict = self._jury.judge_now(examined)
        if verdict.findings:
            raise BackendIncomplete(f"The answer is incomplete: {verdict.reasons}.")
        return verdict.speech

    async def hear(self, text: str, voice: Voice) -> HeardReply:
        """The answer to `text`, not examined yet."""
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
        return HeardReply(prompt.voice_key, prompt.asked, reply, prompt.log)

    def enter(self, examined: ExaminedReply) -> None:
        """Counts a reply among those of its voice."""
        self._jury.enter(examined)

    def judge(self, examined: ExaminedReply) -> Verdict | None:
        """What may be missing from the reply; None as long as too few are known of its voice."""
        return self._jury.judge(examined)

    def settle(self) -> None:
        """No more replies will come for now."""
        self._jury.settle()

    def proof_texts(
        self, examined: ExaminedReply, span: Span, others: Sequence[Span]
    ) -> ProofTexts | None:
        """Two short texts, with and without these characters."""
        return self._jury.proof_texts(examined, span, others)

    def prove_unspoken(self, examined: ExaminedReply, span: Span) -> None:
        """The voice does not say these characters."""
        self._jury.prove_unspoken(examined, span)

    def prove_spoken(self, examined: ExaminedReply, span: Span) -> None:
        """These characters are heard although the marks leave them no time."""
        self._jury.prove_spoken(examined, span)

    def prove_text(self, examined: ExaminedReply, kinds: Iterable[str]) -> None:
        """The findings are the text's own way to sound."""
        self._jury.prove_text(examined, kinds)

    def says_nothing_of(self, text: str, voice: Voice, attempts: int) -> Doubt | None:
        """Whether an answer without sound is all that this voice has to say of `text`."""
        name = parse_voice_name(voice.id)
        if name is None:
            return None
        return self._jury.says_nothing_of(_voice_key(name, voice), folded(text), attempts)

    def notes(self) -> tuple[tuple[str, str], ...]:
        """What was learned of the voices that users should know."""
        return self._jury.notes()

    async def _list(self, limit_s: float) -> tuple[VoiceInfo, ...]:
        try:
            self._listed = await self._session.list_voices(limit_s)
        except Troubled as troubled:
            self._no_list = troubled
            self._no_list_until_s = self._monotonic() + LIST_AGAIN_S
            raise
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
        key = _voice_key(name, voice)
        self._jury.open_voice(key, name.short)
        asked = AskedText(letters, words_of(letters), name.locale, speed)
        return _Prompt(sent, name, voice, key, asked, self._session.open_log())

    async def _reply(self, prompt: _Prompt) -> Reply:
        """The answer, asked for without sentence marks if the service refuses to give both. Where
        it gives sentences alone, the next requests ask for words alone."""
        both = self._marks is _Marks.BOTH
        try:
            reply = await self._turn(prompt, sentences=both)
        except Troubled as troubled:
            refused = troubled.trouble.of_config and not troubled.started
            if not (refused and both) or self._marks_proven:
                raise
            reply = await self._turn(prompt, sentences=False)
            if reply.words and not self._marks_proven:
                self._marks = _Marks.WORDS
            return reply
        self._marks_proven |= bool(reply.words)
        if reply.audio and not reply.words and not self._marks_proven:
            # It may give one kind at a time; words tell more. One that gives neither is asked for
            # both again, which gives sentences at least.
            tried_both = both and not self._words_alone_tried
            self._words_alone_tried |= both
            self._marks = _Marks.WORDS if tried_both else _Marks.BOTH
        return reply

    async def _turn(self, prompt: _Prompt, *, sentences: bool) -> Reply:
        asked = prompt.asked
        length_s = estimate_s(len(asked.text.letters), asked.language, asked.speed)
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
        return SpeechRequest(request_id, config, message, prompt.asked.text.letters[-40:])

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


def _voice_key(name: VoiceName, voice: Voice) -> str:
    """Under what the traits of a voice are kept: rate and pitch change how it sounds."""
    return f"{name.short} {voice.rate_pct:+d} {voice.pitch_hz:+d}"


def _unknown(voice_id: str, listed: Iterable[VoiceInfo]) -> ServiceTrouble:
    close = difflib.get_close_matches(voice_id, [info.id for info in listed], n=3, cutoff=0.5)
    fix = f"Did you mean {' or '.join(close)}?" if close else "See tts-book voices."
    what = f'The online service has no voice "{voice_id}"'
    return ServiceTrouble(what, fix, Failure.MISCONFIGURED, stops_run=True)


def _off(skew_min: float) -> str:
    return "slow" if skew_min > 0 else "fast"
