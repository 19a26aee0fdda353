"""Which records describe a file or a source: those that lie beside it, and those of books that
the cache knows. A folder that was moved as a whole is recognised by its relative paths."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tts_book.model import Entry
from tts_book.output.manifest import NAME, manifest_beside, manifests_around, read_lines, read_run
from tts_book.synthesis.chunk_cache import ChunkCache


@dataclass(frozen=True, slots=True)
class Manifest:
    """A record by its file, and what its `run` line says. Its lines are read one at a time: it is
    as long as the book. `cache` is asked where that of its run is not there."""

    path: Path
    run: dict[str, Any]
    cache: ChunkCache

    def chapters(self, kind: str = "chapter") -> Iterator[dict[str, Any]]:
        """The chapters that are written; or those that are not, by the kind of their lines."""
        return read_lines(self.path, kind)

    def story(self, chapter: int, chunk: int) -> Iterator[dict[str, Any]]:
        """The events about a chunk."""
        for event in read_lines(self.path, "event"):
            if event.get("chapter") == chapter and event.get("chunk") == chunk:
                yield event

    def tells_of(self, source: Path) -> bool:
        """Whether it is of a run over this source, or over a folder that it lies in."""
        ours = source.resolve()
        return any(place in (ours, *ours.parents) for place in self._sources())

    def _sources(self) -> Iterator[Path]:
        if self.run["source"]:
            yield Path(self.run["source"])
        if self.run.get("way"):
            yield self._there(self.run["way"])

    def _there(self, way: str) -> Path:
        return Path(os.path.normpath(self.path.parent.resolve() / way))

    def entry(self, chapter: dict[str, Any], chunk: dict[str, Any]) -> Entry | None:
        """A chunk's entry; see `entry_of`."""
        return self.entry_of(chunk["key"], self._takes(chapter).get(chunk["number"]))

    def entry_of(self, key: str, take: str | None = None) -> Entry | None:
        """An entry in the cache that the run used, else in the other; None where it is gone, or
        another recording than the one in the chapter's file."""
        used = self.run.get("cache")
        found = ChunkCache(Path(used)).get(key) if used else None
        found = found or self.cache.get(key)
        return found if found and take in (None, found.take) else None

    def _takes(self, chapter: dict[str, Any]) -> dict[int, str]:
        for made in read_lines(self.path, "made"):
            taken = made.get("taken")
            if made["file"] == chapter["file"] and isinstance(taken, list):
                numbers = (chunk["number"] for chunk in chapter["chunks"])
                return {number: take for number, (take, *_) in zip(numbers, taken, strict=False)}
        return {}

    @property
    def home(self) -> Path | None:
        """The folder in which the command of its run is given now: that beside the record, if the
        whole was moved or copied together. None where nobody knows."""
        run = self.run
        if run.get("home") and run.get("way") and self._there(run["way"]).exists():
            return self._there(run["home"])
        return Path(run["cwd"]) if run.get("cwd") else None

    def file_of(self, chapter: dict[str, Any]) -> tuple[Path, int]:
        """A file in which a chapter is heard, and the ms at which it begins there."""
        own = self.path.with_name(chapter["file"])
        for volume in read_lines(self.path, "volume") if not own.exists() else ():
            for number, start_ms, _ in volume["chapters"]:
                if number == chapter["number"]:
                    return Path(os.path.normpath(self.path.parent / volume["file"])), start_ms
        return own, 0

    def volume(self, output: Path) -> dict[str, Any] | None:
        """What it says about a whole-book file."""
        for volume in read_lines(self.path, "volume"):
            if (self.path.parent / volume["file"]).resolve() == output.resolve():
                return volume
        return None


def of_file(output: Path, cache: ChunkCache) -> Iterator[Manifest]:
    """The records that may describe a file, those of its folder first."""
    near = (
        manifest_beside(output, alone=True),
        manifest_beside(output, alone=False),
        *_within(output.parent),
    )
    return _open_manifests(dict.fromkeys(near), cache)


def of_place(place: Path, cache: ChunkCache) -> Iterator[Manifest]:
    """The records of a file, or of the books in a folder."""
    return of_file(place, cache) if place.is_file() else _open_manifests(_within(place), cache)


def of_source(
    source: Path, folders: Iterable[Path], cache: ChunkCache, places: Iterable[Path]
) -> list[Manifest]:
    """The records of a source in these folders, then those about books at these `places`. Those of
    excerpts come last."""
    paths = [
        *(path for folder in folders for path in _within(folder)),
        *(path for place in places for path in manifests_around(place) if path.exists()),
    ]
    once = {path.resolve(): path for path in reversed(paths)}
    found = _open_manifests((path for path in paths if once[path.resolve()] is path), cache)
    return sorted((known for known in found if known.tells_of(source)), key=_is_excerpt)


def _open_manifests(paths: Iterable[Path], cache: ChunkCache) -> Iterator[Manifest]:
    for path in paths:
        if run := read_run(path):
            yield Manifest(path, run, cache)


def _is_excerpt(known: Manifest) -> bool:
    return bool(known.run.get("excerpt"))


def _within(folder: Path) -> Iterator[Path]:
    for pattern in (f"*{NAME}", f"*/{NAME}"):
        yield from sorted(folder.glob(pattern))
