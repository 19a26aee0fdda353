"""Proof-listening beside bare faster-whisper on the same sound, and what it finds of damages.

    python benchmarks/ear.py MODEL_FOLDER BOOK_FOLDER

MODEL_FOLDER is a model of faster-whisper, BOOK_FOLDER a book that tts-book has written with a
real voice. Needs the extra `ear`. Clean sound should give no finding; every damage of 3 s should
be found.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tts_book.audio.decoder import SPEECH_RATE_HZ, read_stretches
from tts_book.output.inspection.ear.comparison import compare_words
from tts_book.output.inspection.ear.proof import hear_chunks, list_chunks
from tts_book.output.inspection.ear.recognizer import WhisperRecognizer
from tts_book.output.manifest import manifests_of_place
from tts_book.synthesis.chunk_cache import ChunkCache

Samples = NDArray[np.float32]
EDGE_S = 3
TRIED_CHUNKS = 5
CHANCE = random.Random(3)


def place(sound: Samples, seconds: float) -> slice:
    most = len(sound) - int((seconds + EDGE_S) * SPEECH_RATE_HZ)
    start = CHANCE.randrange(EDGE_S * SPEECH_RATE_HZ, most)
    return slice(start, start + int(seconds * SPEECH_RATE_HZ))


def cut(sound: Samples, seconds: float) -> Samples:
    gone = place(sound, seconds)
    return np.concatenate([sound[: gone.start], sound[gone.stop :]])


def mute(sound: Samples, seconds: float) -> Samples:
    changed = sound.copy()
    changed[place(sound, seconds)] = 0
    return changed


def noise(sound: Samples, seconds: float) -> Samples:
    changed, where = sound.copy(), place(sound, seconds)
    size = where.stop - where.start
    changed[where] = np.random.default_rng(1).normal(0, 0.1, size)
    return changed


def double(sound: Samples, seconds: float) -> Samples:
    twice = place(sound, seconds)
    return np.concatenate([sound[: twice.stop], sound[twice.start :]])


DAMAGES: tuple[tuple[Callable[[Samples, float], Samples], float], ...] = (
    (cut, 3.0), (cut, 1.5), (mute, 3.0), (mute, 1.5), (noise, 3.0), (double, 4.0),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("book", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as kept:
        manifest = next(iter(manifests_of_place(options.book, ChunkCache(Path(kept)))))
        chunks, language = list_chunks(manifest), str(manifest.run["language"])
        recognizer = WhisperRecognizer(options.model)
        began = time.perf_counter()
        found = list(hear_chunks(chunks, language, recognizer, Path(kept)))
        ours_s = time.perf_counter() - began
    sound_s = sum(chunk.stop_ms - chunk.start_ms for chunk in chunks) / 1_000
    findings = sum(bool(each.differences) for each in found)
    print(f"{len(chunks)} chunks, {sound_s:.0f} s of sound, {findings} findings")
    sounds = [
        next(iter(read_stretches(chunk.file, [(chunk.start_ms, chunk.stop_ms)])))
        for chunk in chunks
    ]
    began = time.perf_counter()
    for sound in sounds:
        recognizer.transcribe(sound, language)
    bare_s = time.perf_counter() - began
    print(f"{ours_s:.1f} s, one after the other without checks {bare_s:.1f} s")
    long = [(c, s) for c, s in zip(chunks, sounds, strict=True) if len(s) > 20 * SPEECH_RATE_HZ]
    for change, seconds in DAMAGES:
        heard = [
            compare_words(c.text, recognizer.transcribe(change(s, seconds), language), language)
            for c, s in long[:TRIED_CHUNKS]
        ]
        print(f"{change.__name__} {seconds:g} s: {sum(map(bool, heard))} of {len(heard)} found")


if __name__ == "__main__":
    main()
