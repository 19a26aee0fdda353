"""The robotic voices of espeak-ng: over a hundred languages, on any machine, very fast.

The library is called through ctypes. Its state (voice, rate, pitch) belongs to the whole process:
there is one engine in a process, and one caller at a time.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import logging
import math
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path

from tts_book.backends import Health, Limits, Settings, VoiceInfo
from tts_book.errors import BackendIncomplete, BackendRefused, Failure, misconfigured
from tts_book.model import Mark, Speech, Voice
from tts_book.text.language_tags import normalize_tag

INSTALL = 'pip install "tts-book[offline]"'

_RETRIEVAL = 2  # sound goes to the callback, and synthesis ends before the call returns
_DONT_EXIT = 0x8000  # a missing data folder is an error code, not the end of the process
_UTF8 = 1  # and neither SSML (0x10) nor phoneme marks (0x100): a book's text is only text
_RATE, _VOLUME, _PITCH = 1, 2, 3
_LIST_END, _WORD_BEGINS, _SENTENCE_BEGINS = 0, 1, 2
_LONGEST_DATA_PATH_BYTES = 159


class _VoiceEntry(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("unused", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True, slots=True)
class EngineVoice:
    """A voice file: the language codes it serves (first one first) and its place in the data."""

    name: str
    codes: tuple[str, ...]
    identifier: str


@dataclass(frozen=True, slots=True)
class Moment:
    """The word or sentence at character `offset` begins at `ms`."""

    is_sentence: bool
    offset: int
    ms: int


@dataclass(frozen=True, slots=True)
class SpeechParameters:
    """How to speak, in espeak's own units: words a minute, and 0 to 99 or 0 to 200."""

    words_per_minute: int
    pitch: int
    volume: int


@dataclass(frozen=True, slots=True)
class EngineSound:
    """Mono 16-bit little-endian PCM at the engine's rate, and when what begins."""

    audio: bytes
    moments: tuple[Moment, ...]


class EspeakEngine:
    """The loaded library. Make no second one in a process: use `load_engine`."""

    def __init__(self, library_path: str, data_path: str) -> None:
        if len(data_path.encode()) > _LONGEST_DATA_PATH_BYTES:
            raise misconfigured(
                f"espeak-ng cannot find its data behind a path this long: {data_path}. "
                "Install into a folder with a shorter path"
            )
        self._lock = threading.Lock()
        self._library = _load(library_path)
        self.rate_hz = int(
            self._library.espeak_Initialize(_RETRIEVAL, 0, data_path.encode(), _DONT_EXIT)
        )
        if self.rate_hz <= 0:
            raise misconfigured(
                f"espeak-ng does not start with its data in {data_path}. Fix: {INSTALL}"
            )
        self.version = str(self._library.espeak_Info(None).decode("ascii", "replace"))
        self.voices = tuple(
            voice for voice in self._listed() if _has_dictionary(voice, Path(data_path))
        )

    def speak(self, text: str, voice: str, settled: SpeechParameters) -> EngineSound:
        """Speaks `text`, which holds no NUL, with the voice of that name or identifier."""
        sound: list[bytes] = []
        moments: list[Moment] = []

        def take(samples: ctypes._Pointer[ctypes.c_short], count: int, events: object) -> int:
            if samples and count > 0:
                sound.append(ctypes.string_at(samples, 2 * count))
            moments.extend(_moments(events))
            return 0

        callback = _CALLBACK(take)
        said = text.encode()
        with self._lock:
            self._settle(voice, settled)
            self._library.espeak_SetSynthCallback(callback)
            status = self._library.espeak_Synth(
                said, ctypes.c_size_t(len(said) + 1), 0, 0, 0, _UTF8, None, None
            )
        if status:
            raise BackendRefused(f"espeak-ng refuses this text (status {status}).")
        return EngineSound(b"".join(sound), tuple(moments))

    def _settle(self, voice: str, settled: SpeechParameters) -> None:
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise misconfigured(f'espeak-ng cannot load its voice "{voice}". Fix: {INSTALL}')
        self._library.espeak_SetParameter(_RATE, settled.words_per_minute, 0)
        self._library.espeak_SetParameter(_VOLUME, settled.volume, 0)
        self._library.espeak_SetParameter(_PITCH, settled.pitch, 0)

    def _listed(self) -> list[EngineVoice]:
        found = self._library.espeak_ListVoices(None)
        voices = []
        at = 0
        while found[at]:
            entry = found[at].contents
            codes = _codes(entry.languages)
            voices.append(EngineVoice(entry.name.decode(), codes, entry.identifier.decode()))
            at += 1
        return voices


def _load(path: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise misconfigured(
            f"The espeak-ng library cannot be loaded: {error}. Fix: {INSTALL}"
        ) from error
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceEntry))
    return library


def _codes(address: int) -> tuple[str, ...]:
    """Language codes: each a byte of priority and a C string, until a priority of 0."""
    codes = []
    while ctypes.string_at(address, 1) != b"\0":
        code = ctypes.string_at(address + 1)
        codes.append(code.decode())
        address += len(code) + 2
    return tuple(codes)


def _moments(events: object) -> list[Moment]:
    moments = []
    at = 0
    while events[at].type != _LIST_END:  # type: ignore[index]  # ctypes pointers have no such type
        event = events[at]  # type: ignore[index]  # as above
        if event.type in (_WORD_BEGINS, _SENTENCE_BEGINS):
            is_sentence = event.type == _SENTENCE_BEGINS
            moments.append(Moment(is_sentence, event.text_position - 1, event.audio_ms))
        at += 1
    return moments


def _has_dictionary(voice: EngineVoice, data: Path) -> bool:
    """A few voice files come without their dictionary and would read nothing but letters."""
    names = {code.partition("-")[0] for code in voice.codes}
    for line in (data / "lang" / voice.identifier).read_text("utf-8").splitlines():
        if line.startswith("dictionary"):
            names.update(line.split()[1:2])
    return any((data / f"{name}_dict").exists() for name in names)


@functools.cache
def load_engine() -> EspeakEngine:
    """The engine of this process, loaded at the first call. Raises BackendRefused."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise misconfigured(f"The offline voices are not installed. Fix: {INSTALL}") from error
    try:
        return EspeakEngine(espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
    except RuntimeError as error:
        raise misconfigured(f"espeak-ng is not complete: {error}. Fix: {INSTALL}") from error


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
