"""The espeak-ng library, called through ctypes: one per process, one caller at a time.

Its state (voice, rate, pitch) belongs to the whole process, so every use is behind one lock.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from dataclasses import dataclass
from pathlib import Path

from tts_book.errors import BackendRefused, misconfigured

INSTALL = 'pip install "tts-book[offline]"'

_RETRIEVAL = 2  # sound goes to the callback, and synthesis ends before the call returns
_DONT_EXIT = 0x8000  # a missing data folder is an error code, not the end of the process
_UTF8 = 1  # and neither SSML (0x10) nor phoneme marks (0x100): a book's text is only text
_RATE, _VOLUME, _PITCH = 1, 2, 3
_LIST_END, _WORD, _SENTENCE = 0, 1, 2
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
        if event.type in (_WORD, _SENTENCE):
            is_sentence = event.type == _SENTENCE
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
