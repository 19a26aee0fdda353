"""What the simulated service says: words as tone codes in real MP3 frames, and their marks.

Every word is encoded once and kept; a text's sound is the joined frames of its words, pauses and
both silences. A stream that begins afresh at each word is a valid one (see `tones` for the code,
which `tones.read` finds again in the finished sound).
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import lru_cache

import lameenc
import numpy as np

from tests import tones
from tts_book.model import Mark

FRAME_BYTES = 144
FRAME_TICKS = 240_000  # 24 ms
FRAME_SAMPLES = 576
LEAD_FRAMES = 8
# The first mark stands at 100 ms, a little before the sound.
FIRST_TICK = 1_000_000
WORD_LEAST_FRAMES = 11
# What sounds in a word after its code: no tone of any code, and softer.
_FILLER_HZ, _FILLER_SHARE = 5_700, 0.5
TAIL_FRAMES = {"classic": 36, "multilingual": 15}
CHARS_PER_S = {
    "ru": 15.4, "en": 16.7, "de": 20.5, "fr": 21.1, "es": 18.3, "uk": 15.0, "kk": 19.6, "it": 16.3,
    "pt": 16.7, "pl": 17.6, "tr": 16.0, "zh": 5.6, "ja": 7.0, "ko": 7.7,
}  # fmt: skip
OTHER_CHARS_PER_S = 16.0

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{1,2}|[^\s\u3040-\u30ff\u3400-\u9fff]+")
_SOFT_VOICES = re.compile(r"Multilingual|Ava|Andrew|Emma|Brian")


def encode(pcm: np.ndarray[tuple[int], np.dtype[np.int16]]) -> list[bytes]:
    """PCM at 24 kHz as the service's frames: 48 kbit/s, constant, nothing around them."""
    encoder = lameenc.Encoder()
    encoder.set_bit_rate(48)
    encoder.set_in_sample_rate(24_000)
    encoder.set_channels(1)
    encoder.set_quality(7)
    encoder.silence()
    data = bytes(encoder.encode(pcm.tobytes()) + encoder.flush())
    return [data[at : at + FRAME_BYTES] for at in range(0, len(data), FRAME_BYTES)]


@lru_cache(maxsize=1)
def silent_frame() -> bytes:
    """One frame of silence that needs no other."""
    return encode(np.zeros(FRAME_SAMPLES, np.int16))[0]


@lru_cache(maxsize=4)
def _noise_frames(dbfs: float) -> list[bytes]:
    samples = np.random.default_rng(3).normal(0, 32_768 * 10 ** (dbfs / 20), FRAME_SAMPLES * 400)
    return encode(samples.astype(np.int16))


def quiet_frames(count: int, noise_dbfs: float | None) -> bytes:
    """So many frames without a word: digital silence, or noise of that level."""
    if noise_dbfs is None:
        return silent_frame() * count
    noise, made = _noise_frames(noise_dbfs), []
    while count > 0:
        made += noise[: min(count, 396)]  # from its beginning, which needs no earlier frames
        count -= 396
    return b"".join(made)


@lru_cache(maxsize=20_000)
def _code_frames(
    code: str, word: str, count: int, level: float = 0.4, noise_dbfs: float | None = None
) -> bytes:
    """The word's tones, and another tone after them that fills `count` frames: between the words
    of real speech there is no silence."""
    length_ms = 5 * tones.PIP_MS
    marks = [Mark("word", 0, length_ms, 0, len(word))]
    samples = count * FRAME_SAMPLES - len(tones.pcm(word, marks, length_ms, level))
    rest = np.sin(2 * np.pi * _FILLER_HZ / 24_000 * np.arange(max(0, samples)))
    filler = (rest * level * _FILLER_SHARE * 32_767).astype(np.int16)
    frames = encode(np.concatenate((tones.pcm(word, marks, length_ms, level), filler)))[:count]
    return b"".join(frames) + quiet_frames(count - len(frames), noise_dbfs)


def word_frames(
    word: str, count: int, level: float = 0.4, noise_dbfs: float | None = None
) -> bytes:
    """`count` frames that say `word`."""
    bare = "".join(filter(str.isalnum, word))
    return _code_frames(tones.code(word), bare, count, level, noise_dbfs)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a service speaks, where that is not as usual: frames of silence around and in a text
    (None leaves what is usual), `tail` drawn between two numbers for each text, the words that it
    cannot say (a regular expression), how loud it is, and the noise in its pauses."""

    lead: int = 8
    tail: tuple[int, int] | None = None
    sentence: int = 38
    comma: int = 8
    paragraph: int = 45
    pace: float = 1.0
    unspoken: str = ""
    level: float = 0.4
    noise_dbfs: float | None = None
    marks_unspoken: bool = False

    def says(self, word: str) -> bool:
        return not (self.unspoken and re.search(self.unspoken, word))

    def tail_frames(self, text: str, usual: int) -> int:
        if self.tail is None:
            return usual
        return random.Random(text).randint(*self.tail)


USUAL = Manner()


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: its place, its letters without punctuation, and its time in ticks."""

    start: int
    stop: int
    text: str
    from_tick: int
    to_tick: int


@dataclass(frozen=True, slots=True)
class Said:
    """A text as the service speaks it."""

    audio: bytes
    words: tuple[Word, ...]
    sentences: tuple[Word, ...]

    @property
    def ticks(self) -> int:
        return len(self.audio) // FRAME_BYTES * FRAME_TICKS


def spans(text: str) -> list[tuple[int, int]]:
    """Where the words that will be spoken stand: they hold a letter or a digit."""
    found = (match.span() for match in _WORD.finditer(text))
    return [(a, b) for a, b in found if any(map(str.isalnum, text[a:b]))]


def without(text: str, first: int, last: int) -> str:
    """`text` with its words `first` to `last` taken out."""
    kept, at = [], 0
    for start, stop in spans(text)[first : last + 1]:
        kept.append(text[at:start])
        at = stop
    return "".join([*kept, text[at:]])


def tail_frames(voice: str) -> int:
    """Frames of silence after the last word."""
    return TAIL_FRAMES["multilingual" if _SOFT_VOICES.search(voice) else "classic"]


def say(text: str, voice: str, speed: float = 1.0, manner: Manner = USUAL) -> Said:
    """Speaks `text`; `voice` is a short name, `speed` 1 the voice's own."""
    cps = CHARS_PER_S.get(voice[:2], OTHER_CHARS_PER_S) * speed * manner.pace
    noise = manner.noise_dbfs
    parts, words, now = [quiet_frames(manner.lead, noise)], [], manner.lead
    places = spans(text)
    heard = False
    for number, (start, stop) in enumerate(places):
        size = stop - start + 3 * sum(map(str.isdigit, text[start:stop]))
        count = max(WORD_LEAST_FRAMES, round((size + 1) / cps / 0.024))
        spoken = manner.says(text[start:stop])
        if spoken:
            heard = True
            parts.append(word_frames(text[start:stop], count, manner.level, noise))
            words.append(_word(text, start, stop, now, now + count))
            now += count
        elif manner.marks_unspoken:
            words.append(_word(text, start, stop, now, now + 1))
        following = places[number + 1][0] if number + 1 < len(places) else len(text)
        last = number + 1 == len(places)
        rest = 0 if last else _rest(text[start:following], speed, manner)
        parts.append(quiet_frames(rest, noise))
        now += rest
    usual = round(tail_frames(voice) / min(1.0, speed))
    parts.append(quiet_frames(manner.tail_frames(text, usual), noise))
    audio = b"".join(parts) if heard else b""
    return Said(audio, tuple(words) if heard else (), tuple(_sentences(text, words)))


def _rest(word_and_gap: str, speed: float, manner: Manner) -> int:
    if "\n\n" in word_and_gap:
        frames = manner.paragraph
    elif re.search(r"[.!?…。！？]\W*$", word_and_gap):
        frames = manner.sentence
    else:
        frames = manner.comma if re.search(r"[,;:—]\W*$", word_and_gap) else 0
    return round(frames / speed)


def _word(text: str, start: int, stop: int, from_frame: int, to_frame: int) -> Word:
    shift = FIRST_TICK - LEAD_FRAMES * FRAME_TICKS
    bare = re.sub(r"^\W+|\W+$", "", text[start:stop])
    from_tick = from_frame * FRAME_TICKS + shift
    return Word(start, stop, bare, from_tick, to_frame * FRAME_TICKS + shift - 100_000)


def _sentences(text: str, words: list[Word]) -> list[Word]:
    made: list[Word] = []
    first: Word | None = None
    for number, word in enumerate(words):
        first = first or word
        following = words[number + 1].start if number + 1 < len(words) else len(text)
        if number + 1 == len(words) or re.search(
            r"[.!?…。！？]\W*$|\n\n", text[word.start : following]
        ):
            whole = text[first.start : word.stop]
            made.append(Word(first.start, word.stop, whole, first.from_tick, word.to_tick))
            first = None
    return made
