"""Words written into sound, so that finished audio can be read back word for word.

A word sounds as five pips: one that opens it, then four that spell 16 bits of its hash, a digit
a pip. `read` finds them in any recording, whatever was done to it on the way (joins, silence,
gain, another codec), so that a missing, doubled or misplaced word shows.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tts_book import audio
from tts_book.model import Mark

RATE_HZ = 24_000
PIP_MS = 40
OPENING_HZ = 4_400
DIGITS_HZ = tuple(700 + 210 * digit for digit in range(16))
WORD_MS = 5 * PIP_MS + 60  # with the silence that parts it from the next
_HOP, _WINDOW = RATE_HZ * 5 // 1_000, RATE_HZ * 25 // 1_000
_BLOCK = 8_192  # windows looked at together: bounds the memory

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Heard:
    """A word found in a recording."""

    code: str
    start_ms: float


def code(word: str) -> str:
    """Four hex digits that stand for a word, whatever its case and the marks around it."""
    bare = "".join(character for character in word.casefold() if character.isalnum())
    return hashlib.blake2b(bare.encode(), digest_size=2).hexdigest()


def codes(text: str) -> list[str]:
    """The codes of a text's words, in order."""
    return [code(text[start:stop]) for start, stop in _words(text)]


def speech(
    text: str,
    *,
    lead_ms: int = 200,
    tail_ms: int = 875,
    rest_ms: int = 0,
    level: float = 0.4,
    noise: float = 0.0,
) -> tuple[bytes, tuple[Mark, ...]]:
    """The text as a service would speak it: MP3 frames, and a mark for every word. After each word
    that ends in a full stop there are `rest_ms` of silence, with a `noise` of this peak."""
    marks, now_ms = [], lead_ms
    for start, stop in _words(text):
        marks.append(Mark("word", now_ms, now_ms + WORD_MS, start, stop))
        now_ms += WORD_MS + (rest_ms if text[start:stop].endswith((".", "!", "?")) else 0)
    sound = pcm(text, marks, now_ms + tail_ms, level)
    if noise:
        sound += np.random.default_rng(7).normal(0, noise, len(sound)).astype(np.int16)
    return audio.encode(sound.tobytes(), RATE_HZ), tuple(marks)


def sentences(text: str, marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Marks of the sentences that these words make; a full stop ends one."""
    made, first = [], marks[0]
    for mark in marks:
        if text[mark.start : mark.stop].endswith((".", "!", "?")) or mark is marks[-1]:
            made.append(Mark("sentence", first.start_ms, mark.stop_ms, first.start, mark.stop))
            first = next((m for m in marks if m.start > mark.start), mark)
    return tuple(made)


def pcm(text: str, marks: Iterable[Mark], length_ms: int, level: float = 0.4) -> Samples:
    """The words at their marks' times."""
    sound = np.zeros(length_ms * RATE_HZ // 1_000, np.int16)
    for mark in marks:
        word = code(text[mark.start : mark.stop])
        at = mark.start_ms * RATE_HZ // 1_000
        for hz in (OPENING_HZ, *(DIGITS_HZ[int(digit, 16)] for digit in word)):
            pip = _pip(hz, level)
            sound[at : at + len(pip)] += pip[: len(sound) - at]
            at += len(pip)
    return sound


def read(sound: Samples, rate_hz: int = RATE_HZ) -> list[Heard]:
    """The words in a recording, in order."""
    if rate_hz != RATE_HZ:
        raise ValueError(f"resample to {RATE_HZ} Hz first")
    power = _powers(sound)
    loud = 0.05 * power.max(initial=1.0)
    opening = (power[:, 0] > loud) & (power[:, 0] > 4 * power[:, 1:].max(axis=1, initial=0.0))
    edges = np.flatnonzero(np.diff(opening.astype(np.int8), prepend=0, append=0))
    found = (_spell(power, (a + b - 1) / 2, loud) for a, b in edges.reshape(-1, 2))
    return [heard for heard in found if heard]


def play(sound: Path | bytes, rate_hz: int = RATE_HZ) -> Samples:
    """Mono samples of a file of any format, as a player that reads its header gives them."""
    resampler = av.AudioResampler("s16", "mono", rate_hz)
    with av.open(io.BytesIO(sound) if isinstance(sound, bytes) else str(sound), "r") as file:
        frames = [*file.decode(audio=0), None]
        blocks = [same.to_ndarray()[0] for frame in frames for same in resampler.resample(frame)]
    return np.concatenate(blocks).astype(np.int16)


def _spell(power: NDArray[np.float64], centre: float, loud: float) -> Heard | None:
    word = ""
    for pip in range(1, 5):
        at = round(centre + pip * PIP_MS * RATE_HZ / 1_000 / _HOP)
        if at >= len(power) or power[at, 1:].max() < loud:
            return None
        word += f"{int(power[at, 1:].argmax()):x}"
    middle_ms = (centre * _HOP + _WINDOW / 2) * 1_000 / RATE_HZ
    return Heard(word, middle_ms - PIP_MS / 2)


def _powers(sound: Samples) -> NDArray[np.float64]:
    """How strong each of the 17 tones is in each window."""
    if len(sound) < _WINDOW:
        return np.zeros((0, 17))
    turns = np.outer(np.arange(_WINDOW) / RATE_HZ, (OPENING_HZ, *DIGITS_HZ))
    basis = np.exp(-2j * np.pi * turns) * np.hanning(_WINDOW)[:, None]
    windows = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    blocks = (windows[n : n + _BLOCK].astype(np.float64) for n in range(0, len(windows), _BLOCK))
    return np.concatenate([np.abs(block @ basis) ** 2 for block in blocks])


def _pip(hz: int, level: float) -> Samples:
    count = RATE_HZ * PIP_MS // 1_000
    wave = np.sin(2 * np.pi * hz * np.arange(count) / RATE_HZ)
    slope = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / (count / 10))
    return (wave * slope * level * 32_767).astype(np.int16)


def _words(text: str) -> list[tuple[int, int]]:
    spans, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        if any(character.isalnum() for character in word):
            spans.append((at, at + len(word)))
        at += len(word)
    return spans
