"""Proof-listening beside bare faster-whisper on the same sound, and what it finds of damages.

    python benchmarks/ear.py MODEL_FOLDER BOOK_FOLDER [--other BOOK_FOLDER] [--minutes 10]

MODEL_FOLDER is a model of faster-whisper, BOOK_FOLDER a book that tts-book has written with a real
voice, and `--other` one in another language, whose sound is put into the first. Needs the extra
`ear`. Clean sound should give no error and every loss of 3 s one; 1.5 s should be found in four of
five. The bare recogniser gets the same stretches in as many threads, with the same settings.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tts_book.audio.decoder import SPEECH_RATE_HZ, read_stretches
from tts_book.output.inspection.ear.proof import (
    ChunkToHear,
    hear_chunks,
    judge_samples,
    list_chunks,
)
from tts_book.output.inspection.ear.recognizer import WhisperRecognizer
from tts_book.output.manifest import manifests_of_place
from tts_book.synthesis.chunk_cache import ChunkCache

Samples = NDArray[np.float32]
EDGE_S = 2
LEAST_S = 12
CHANCE = random.Random(3)


@dataclass(frozen=True)
class Book:
    """What a book's chunks are to sound like."""

    chunks: list[ChunkToHear]
    language: str

    def sounds(self) -> Iterator[tuple[ChunkToHear, Samples]]:
        for chunk in self.chunks:
            span = (chunk.start_ms, chunk.stop_ms)
            yield chunk, next(iter(read_stretches(chunk.file, [span])))


def open_book(place: Path, minutes: float) -> Book:
    with tempfile.TemporaryDirectory() as kept:
        manifest = next(iter(manifests_of_place(place, ChunkCache(Path(kept)))))
        chunks, length_ms = [], 0
        for chunk in list_chunks(manifest):
            if length_ms < minutes * 60_000:
                chunks.append(chunk)
                length_ms += chunk.stop_ms - chunk.start_ms
        return Book(chunks, str(manifest.run["language"]))


# Damages ------------------------------------------------------------------------------------------


def pick_place(sound: Samples, seconds: float) -> slice:
    most = len(sound) - int((seconds + EDGE_S) * SPEECH_RATE_HZ)
    start = CHANCE.randrange(EDGE_S * SPEECH_RATE_HZ, most)
    return slice(start, start + int(seconds * SPEECH_RATE_HZ))


def cut(sound: Samples, seconds: float, _: Samples) -> Samples:
    gone = pick_place(sound, seconds)
    return np.concatenate([sound[: gone.start], sound[gone.stop :]])


def mute(sound: Samples, seconds: float, _: Samples) -> Samples:
    changed = sound.copy()
    changed[pick_place(sound, seconds)] = 0
    return changed


def noise(sound: Samples, seconds: float, _: Samples) -> Samples:
    changed, where = sound.copy(), pick_place(sound, seconds)
    changed[where] = np.random.default_rng(1).normal(0, 0.1, where.stop - where.start)
    return changed


def double(sound: Samples, seconds: float, _: Samples) -> Samples:
    twice = pick_place(sound, seconds)
    return np.concatenate([sound[: twice.stop], sound[twice.start :]])


def replace(sound: Samples, seconds: float, other: Samples) -> Samples:
    changed = sound.copy()
    changed[pick_place(sound, seconds)] = other[pick_place(other, seconds)]
    return changed


def exchange(sound: Samples, seconds: float, other: Samples) -> Samples:
    return other


Damage = Callable[[Samples, float, Samples], Samples]
DAMAGES: tuple[tuple[Damage, float, float, bool], ...] = (
    (cut, 3.0, 6.0, False), (cut, 1.5, 1.5, False), (mute, 3.0, 6.0, False),
    (mute, 1.5, 1.5, False), (noise, 3.0, 6.0, False), (double, 3.0, 6.0, False),
    (replace, 3.0, 6.0, False), (exchange, 0.0, 0.0, False), (replace, 3.0, 6.0, True),
    (exchange, 0.0, 0.0, True),
)  # fmt: skip


def try_damages(book: Book, other: Book | None, recognizer: WhisperRecognizer, count: int) -> None:
    sounds = [each for each in book.sounds() if len(each[1]) > LEAST_S * SPEECH_RATE_HZ]
    foreign = [sound for _, sound in other.sounds()] if other else []
    foreign = [sound for sound in foreign if len(sound) > LEAST_S * SPEECH_RATE_HZ]
    CHANCE.shuffle(sounds)
    victims = cycle(sounds)
    for change, least_s, most_s, is_foreign in DAMAGES:
        if is_foreign and not foreign:
            continue
        changed: list[tuple[ChunkToHear, Samples]] = []
        for chunk, sound in (next(victims) for _ in range(count)):
            others = foreign if is_foreign else [s for c, s in sounds if c is not chunk]
            changed.append(
                (chunk, change(sound, CHANCE.uniform(least_s, most_s), CHANCE.choice(others)))
            )
        with ThreadPoolExecutor(recognizer.workers) as threads:
            heard = list(
                threads.map(lambda each: judge(each[0], each[1], book, recognizer), changed)
            )
        name = f"{change.__name__}{' with another language' if is_foreign else ''}"
        lengths = f" {least_s:g} to {most_s:g} s" if most_s else ""
        print(
            f"{name}{lengths}: {sum(found for found, _ in heard)} of {count} found, "
            f"{sum(error for _, error in heard)} as errors",
            flush=True,
        )


def judge(
    chunk: ChunkToHear, sound: Samples, book: Book, recognizer: WhisperRecognizer
) -> tuple[bool, bool]:
    differences, language = judge_samples(sound, chunk.text, book.language, recognizer)
    error = bool(language) or any(each.is_error for each in differences)
    return bool(differences), error


# Speed --------------------------------------------------------------------------------------------


@contextmanager
def measuring(what: str, seconds: list[float]) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    seconds.append(time.process_time() - cpu)
    print(f"{what}: {time.perf_counter() - wall:.1f} s, {seconds[-1]:.1f} CPU seconds", flush=True)


def compare_speed(book: Book, recognizer: WhisperRecognizer) -> None:
    cpu_s: list[float] = []
    with tempfile.TemporaryDirectory() as kept, measuring("proof-listening", cpu_s):
        found = list(hear_chunks(book.chunks, book.language, recognizer, Path(kept)))
    length_ms = sum(chunk.stop_ms - chunk.start_ms for chunk in book.chunks)
    errors = sum(each.is_error for each in found)
    reports = sum(bool(each.differences) for each in found) - errors
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    print(
        f"{len(found)} chunks, {length_ms / 60_000:.1f} min: {errors} errors, {reports} to check; "
        f"memory at most {peak_mb:.0f} MB"
    )
    sounds = [sound for _, sound in book.sounds()]
    with (
        measuring("bare faster-whisper", cpu_s),
        ThreadPoolExecutor(recognizer.workers) as threads,
    ):
        list(threads.map(lambda sound: recognizer.transcribe(sound, book.language), sounds))
    print(f"{cpu_s[0] / cpu_s[1]:.2f} times its CPU time")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("book", type=Path)
    parser.add_argument("--other", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--each", type=int, default=5, help="damages of each kind")
    options = parser.parse_args(arguments)
    recognizer = WhisperRecognizer(options.model)
    book = open_book(options.book, options.minutes)
    other = open_book(options.other, 5) if options.other else None
    compare_speed(book, recognizer)
    try_damages(book, other, recognizer, options.each)


if __name__ == "__main__":
    main()
