"""Why a chunk will be spoken: what changed since the run that left the manifest beside the
files."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from tts_book.model import Chunk, Doubt
from tts_book.output.manifest import manifest_path, read_lines, read_run
from tts_book.pipeline.jobs import BookJob
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.pool import locate_doubts

# What goes into a cache key besides the text, in the words of the user.
_SETTINGS = {
    "backend": "backend",
    "id": "voice",
    "language": "language",
    "rate_pct": "rate",
    "pitch_hz": "pitch",
    "volume_pct": "volume",
}
_CHANGES_SHOWN = 3
_WORDS_BETWEEN = 2  # fewer do not part two changes


@dataclass(frozen=True, slots=True)
class _EarlierRun:
    """What the manifest says: the keys of what is written, how each text was said, and what of the
    voice is changed since."""

    keys: frozenset[str]
    said: dict[str, str]
    changed: str


def explain_chunks(job: BookJob, cache: ChunkCache) -> Iterator[tuple[Chunk, str]]:
    """Each chunk that is asked for and has to be spoken, with the reason."""
    before, first = _read_earlier(job), dict[str, Chunk]()
    for chunk, key in zip(job.plan.chunks, job.keys, strict=True):
        again = key in job.redo
        if not (job.asks_for(chunk) and (again or cache.get(key) is None)):
            continue
        if (same := first.setdefault(key, chunk)) is not chunk:
            yield chunk, f"the same words as {same.chapter}/{same.number}, spoken once for both"
        else:
            yield (
                chunk,
                "--redo asks for another recording" if again else _find_reason(chunk, key, before),
            )


def explain_doubts(job: BookJob, cache: ChunkCache) -> Iterator[tuple[Chunk, Doubt]]:
    """What is in doubt about the chunks that are asked for and spoken, with the places."""
    for chapter in job.asked_chapters:
        for chunk, key in zip(chapter.chunks, chapter.keys, strict=True):
            entry = cache.get(key) if job.asks_for(chunk) and key not in job.redo else None
            if entry is not None:
                for doubt in locate_doubts(entry.doubts, chunk, partial(chapter.locate, chunk)):
                    yield chunk, doubt


def _read_earlier(job: BookJob) -> _EarlierRun:
    path = manifest_path(job.layout)
    written = [chunk for chapter in read_lines(path, "chapter") for chunk in chapter["chunks"]]
    planned = [chunk for chapter in read_lines(path, "unwritten") for chunk in chapter["chunks"]]
    run = read_run(path)
    return _EarlierRun(
        frozenset(chunk["key"] for chunk in written),
        {chunk["text"]: chunk["spoken"] or chunk["text"] for chunk in (*planned, *written)},
        _compare_voices(job, run) if run else "",
    )


def _find_reason(chunk: Chunk, key: str, before: _EarlierRun) -> str:
    if not before.said:
        return "never spoken before"
    if key in before.keys:
        return "its entry in the cache is gone or damaged"
    said = before.said.get(chunk.text)
    if said is None:
        return "its text is new"
    if said == chunk.spoken or before.changed:
        return before.changed or "it was not finished"
    return f"it is said otherwise: {_compare_words(said, chunk.spoken)}"


def _compare_words(before: str, now: str) -> str:
    """The words that differ."""
    old, new = before.split(), now.split()
    spans: list[tuple[int, int, int, int]] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        if spans and a - spans[-1][1] <= _WORDS_BETWEEN:
            a, _, c, _ = spans.pop()
        spans.append((a, b, c, d))
    told_of = (f"“{' '.join(old[a:b])}” → “{' '.join(new[c:d])}”" for a, b, c, d in spans)
    changes = list(dict.fromkeys(told_of))
    more = f" and {len(changes) - _CHANGES_SHOWN} more" if len(changes) > _CHANGES_SHOWN else ""
    return ", ".join(changes[:_CHANGES_SHOWN]) + more


def _compare_voices(job: BookJob, run: dict[str, Any]) -> str:
    """What is said differently now, for text that is the same."""
    voice, before = job.cast.voice.as_record(), run["voice"]
    told_of = [
        f"{name} {before.get(field)} → {voice[field]}"
        for field, name in _SETTINGS.items()
        if before.get(field) != voice[field]
    ]
    fingerprint = job.cast.backend.fingerprint(job.cast.voice)
    if not told_of and run["fingerprint"] != fingerprint:
        told_of.append(f"the engine: {run['fingerprint']} → {fingerprint}")
    return ", ".join(told_of)
