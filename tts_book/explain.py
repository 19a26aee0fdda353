"""Why a chunk will be spoken: what changed since the run that left the record beside the files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from tts_book.cache import Cache
from tts_book.model import Chunk
from tts_book.prepared import Prepared
from tts_book.records import path_of, read

# What goes into a cache key besides the text, in the words of the user.
_SETTINGS = {
    "backend": "backend",
    "id": "voice",
    "language": "language",
    "rate_pct": "rate",
    "pitch_hz": "pitch",
    "volume_pct": "volume",
}


def explain(item: Prepared, cache: Cache) -> Iterator[tuple[Chunk, str]]:
    """Each chunk that is not in the cache, with the reason why it has to be spoken."""
    record = read(path_of(item))
    runs = record["run"]
    chunks = [chunk for chapter in record["chapter"] for chunk in chapter["chunks"]]
    keys = {chunk["key"] for chunk in chunks}
    planned = [chunk for chapter in record["unwritten"] for chunk in chapter["chunks"]]
    texts = {chunk["spoken"] or chunk["text"] for chunk in (*chunks, *planned)}
    changed = _changed(item, runs[0]) if runs else ""
    for chunk, key in zip(item.plan.chunks, item.keys, strict=True):
        if cache.get(key) is None:
            yield chunk, _reason(chunk, key, keys, texts, changed, bool(texts))


def _reason(
    chunk: Chunk, key: str, keys: set[str], texts: set[str], changed: str, known: bool
) -> str:
    if not known:
        return "never spoken before"
    if key in keys:
        return "its entry in the cache is gone or damaged"
    if chunk.spoken in texts:
        return changed or "it was not finished"
    return "its text is new"


def _changed(item: Prepared, run: dict[str, Any]) -> str:
    """What is said differently now, for text that is the same."""
    voice, before = asdict(item.cast.voice), run["voice"]
    told = [
        f"{name} {before.get(field)} → {voice[field]}"
        for field, name in _SETTINGS.items()
        if before.get(field) != voice[field]
    ]
    fingerprint = item.cast.backend.fingerprint(item.cast.voice)
    if not told and run["fingerprint"] != fingerprint:
        told.append(f"the engine: {run['fingerprint']} → {fingerprint}")
    return ", ".join(told)
