"""The robotic voices of espeak-ng: over a hundred languages, on any machine, very fast."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Callable
from difflib import get_close_matches
from itertools import pairwise

from tts_book.backends import Health, Limits, Settings, VoiceInfo
from tts_book.backends.espeak.library import (
    INSTALL,
    EngineSound,
    EngineVoice,
    EspeakEngine,
    SpeechParameters,
    load_engine,
)
from tts_book.errors import BackendIncomplete, BackendRefused, Failure, misconfigured
from tts_book.model import Mark, Speech, Voice
from tts_book.text.language_tags import normalize_tag

_LOG = logging.getLogger("tts_book.espeak")

_WORDS_PER_MINUTE = 175
_SLOWEST, _FASTEST = 80, 450
_USUAL_PITCH = 50
# Measured on the English voice: 103 Hz at 50, and 68 steps to an octave.
_BASE_HZ = 103
_STEPS_AN_OCTAVE = 68
_SILENCE_MS = 300
_PARAGRAPH_MS = 900  # at the usual rate
_VARIANT = re.compile(r"[a-z]\w{0,15}", re.IGNORECASE)
_WORD = re.compile(r"\S+")
_PARAGRAPH = re.compile(r"\S(?:[^\n]|\n(?![^\S\n]*\n))*")
_OPENERS = "\"'“‘«„‚([¿¡"

# Read aloud by name, or the end of a C string: each becomes a blank, so that places stay.
_UNSPOKEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff*_#~|^\\\\"
    "\u2190-\u2bff\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufe0f\ufeff\U0001f000-\U0001faff]"
)


class EspeakBackend:
    """Speaks with the espeak-ng of this process. `engine` gives it, loading it if need be."""

    name = "espeak"
    limits = Limits(start=1, most=2)

    def __init__(self, engine: Callable[[], EspeakEngine] = load_engine) -> None:
        self._engine = engine

    def fingerprint(self, voice: Voice) -> str:
        """The library's version is the version of its voices. Raises BackendRefused."""
        engine = self._engine()
        return f"espeak-ng {engine.version} {_resolve(voice.id, engine.voices)} 1"

    async def health(self) -> Health:
        """Loads the library and counts its languages."""
        try:
            engine = await asyncio.to_thread(self._engine)
        except BackendRefused as error:
            detail, _, fix = str(error).partition(" Fix: ")
            return Health(usable=False, detail=detail.rstrip("."), fix=fix or INSTALL)
        count = len(engine.voices)
        return Health(usable=True, detail=f"espeak-ng {engine.version}, {count} robotic voices")

    async def voices(self) -> tuple[VoiceInfo, ...]:
        """One voice for each language or accent."""
        engine = await asyncio.to_thread(self._engine)
        return tuple(
            VoiceInfo(
                self.name,
                id_,
                _language_of(voice),
                note=f"robotic, {voice.name.strip()}",
                only_named=True,
            )
            for id_, voice in _ids(engine.voices).items()
        )

    async def speak(self, text: str, voice: Voice) -> Speech:
        """PCM with a mark for each word and sentence. `id` may end in a variant: "ru+f3"."""
        return await asyncio.to_thread(self._speak, text, voice)

    async def aclose(self) -> None:
        """The library stays for others in this process."""

    def _speak(self, text: str, voice: Voice) -> Speech:
        engine = self._engine()
        sayable = _UNSPOKEN.sub(" ", text)
        resolved = _resolve(voice.id, engine.voices)
        _LOG.debug("espeak-ng %s, %s: %d characters", engine.version, resolved, len(text))
        settled = _settled(voice)
        pause_ms = _PARAGRAPH_MS * _WORDS_PER_MINUTE // settled.words_per_minute
        pause = bytes(2 * (engine.rate_hz * pause_ms // 1_000))
        sound: list[bytes] = []
        marks: list[Mark] = []
        # espeak itself overlooks an end of paragraph before a quotation mark.
        for found in _spoken_paragraphs(sayable):
            answer = engine.speak(found.group(), resolved, settled)
            if sound and answer.audio:
                sound.append(pause)
            before_ms = sum(map(len, sound)) * 1_000 // (2 * engine.rate_hz)
            length_ms = len(answer.audio) * 1_000 // (2 * engine.rate_hz)
            its_marks = _marks(answer, found.group(), length_ms)
            marks += (mark.moved(before_ms, found.start()) for mark in its_marks)
            sound.append(answer.audio)
        audio = b"".join(sound)
        if not audio:
            return _nothing(text, engine.rate_hz)
        return Speech(audio, "pcm", engine.rate_hz, tuple(marks))

    def prepare(self, text: str, voice: Voice) -> str:
        """How the paragraphs of `text` are parted; nothing where there is only one."""
        count = len(_spoken_paragraphs(text))
        return f"{count} paragraphs, {_PARAGRAPH_MS} ms" if count > 1 else ""


def _spoken_paragraphs(text: str) -> list[re.Match[str]]:
    found = _PARAGRAPH.finditer(text)
    return [paragraph for paragraph in found if any(map(str.isalnum, paragraph.group()))]


def _nothing(text: str, rate_hz: int) -> Speech:
    if any(map(str.isalnum, text)):
        raise BackendIncomplete("espeak-ng gave no sound for this text.", Failure.NO_AUDIO)
    return Speech(bytes(2 * (rate_hz * _SILENCE_MS // 1_000)), "pcm", rate_hz)


def _settled(voice: Voice) -> SpeechParameters:
    words_per_minute = round(_WORDS_PER_MINUTE * (1 + voice.rate_pct / 100))
    factor = max(0.1, 1 + voice.pitch_hz / _BASE_HZ)
    pitch = round(_USUAL_PITCH + _STEPS_AN_OCTAVE * math.log2(factor))
    return SpeechParameters(
        min(max(words_per_minute, _SLOWEST), _FASTEST),
        min(max(pitch, 0), 99),
        min(max(100 + voice.volume_pct, 0), 200),
    )


def _ids(voices: tuple[EngineVoice, ...]) -> dict[str, EngineVoice]:
    """Voices by their shortest name: the language code, or the file where two share a code."""
    ids: dict[str, EngineVoice] = {}
    for voice in voices:
        code = voice.codes[0]
        ids[re.split(r"[/\\]", voice.identifier)[-1] if code in ids else code] = voice
    return ids


def _resolve(wanted: str, voices: tuple[EngineVoice, ...]) -> str:
    """The voice file of `wanted`, with its variant: not every code is known to espeak as a name.
    Raises BackendRefused."""
    ids = _ids(voices)
    known = {id_.lower(): id_ for id_ in ids}
    base, plus, variant = wanted.partition("+")
    id_ = known.get(base.replace("_", "-").lower())
    if id_ is None:
        near = get_close_matches(base.lower(), known, n=1, cutoff=0.5)
        hint = f' Did you mean "{known[near[0]]}"?' if near else ""
        raise misconfigured(f'espeak has no voice "{wanted}".{hint}')
    if plus and not _VARIANT.fullmatch(variant):
        raise misconfigured(f'espeak has no variant "{variant}". Did you mean "{id_}+f3"?')
    return ids[id_].identifier + plus + variant


def _language_of(voice: EngineVoice) -> str:
    two_letters = (code for code in voice.codes if len(code.partition("-")[0]) == 2)
    return normalize_tag(next(two_letters, voice.codes[0]))


def _marks(answer: EngineSound, text: str, length_ms: int) -> tuple[Mark, ...]:
    words = [moment for moment in answer.moments if not moment.is_sentence]
    sentences = [moment for moment in answer.moments if moment.is_sentence]
    marks = _word_marks([(word.offset, word.ms) for word in words], text, length_ms)
    marks += _sentence_marks([(each.offset, each.ms) for each in sentences], text, length_ms)
    return tuple(sorted(marks, key=lambda mark: (mark.start_ms, mark.start, -mark.stop)))


def _word_marks(begins: list[tuple[int, int]], text: str, length_ms: int) -> list[Mark]:
    marks: list[Mark] = []
    reached = 0
    for (start, start_ms), (next_start, stop_ms) in pairwise([*begins, (len(text), length_ms)]):
        found = _WORD.match(text, start) if reached <= start < len(text) else None
        if found is None:
            continue
        reached = min(found.end(), next_start) if next_start > start else found.end()
        times = min(start_ms, length_ms), min(max(stop_ms, start_ms), length_ms)
        marks.append(Mark("word", *times, start, reached))
    return marks


def _sentence_marks(begins: list[tuple[int, int]], text: str, length_ms: int) -> list[Mark]:
    marks: list[Mark] = []
    starts = [(_with_openers(text, start), ms) for start, ms in begins]
    if starts:
        starts[0] = 0, starts[0][1]
    for (start, start_ms), (stop, stop_ms) in pairwise([*starts, (len(text), length_ms)]):
        said = text[start:stop]
        start += len(said) - len(said.lstrip())
        stop = start + len(said.strip())
        if start < stop and (not marks or marks[-1].stop <= start):
            times = min(start_ms, length_ms), min(max(stop_ms, start_ms), length_ms)
            marks.append(Mark("sentence", *times, start, stop))
    return marks


def _with_openers(text: str, start: int) -> int:
    """Where a sentence begins whose first word is at `start`: at the quotation mark before it."""
    begin = start
    while begin and text[begin - 1] in _OPENERS:
        begin -= 1
    return begin if not begin or text[begin - 1].isspace() else start


def make(settings: Settings) -> EspeakBackend:
    """The backend; it needs nothing from outside."""
    return EspeakBackend()
