"""What is in the cache, by book, and removal of what is not needed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tts_book.synthesis.atomic import remove_file
from tts_book.synthesis.cache_leases import block_new_runs, list_leases
from tts_book.synthesis.claims import SUFFIX, Claims

# The folder of chapters that are encoded for files of whole books.
ENCODED = "encoded"


@dataclass(frozen=True, slots=True)
class CachedFile:
    """An entry on disk: `used_s` is when it was last read or written (seconds since 1970)."""

    key: str
    path: Path
    size_bytes: int
    used_s: float


@dataclass(frozen=True, slots=True)
class BookShare:
    """What a book has in the cache. `running`: a job is working on it now."""

    title: str
    source: str
    entries: int
    size_bytes: int
    used_s: float
    running: bool


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What was thrown away, and how many entries stay only because a running job `needs` them."""

    entries: int
    size_bytes: int
    needed: int


def list_entries(cache: Path) -> Iterator[CachedFile]:
    """All entries on disk, in no order."""
    return _describe_files(cache.glob("??/*.mp3"))


def list_encoded(cache: Path) -> Iterator[CachedFile]:
    """The encoded chapters on disk, in no order."""
    return _describe_files((cache / ENCODED).glob("*"))


def _describe_files(paths: Iterable[Path]) -> Iterator[CachedFile]:
    for path in paths:
        with contextlib.suppress(OSError):
            found = path.stat()
            yield CachedFile(path.stem, path, found.st_size, found.st_mtime)


def list_books(cache: Path) -> tuple[BookShare, ...]:
    """What each book has in the cache, the last used first; entries of no known book last."""
    on_disk = {item.key: item for item in list_entries(cache)}
    found: dict[tuple[str, str], tuple[set[str], bool]] = {}
    for _, book, at_work in list_leases(cache):
        keys, running = found.get((book.title, book.source), (set(), False))
        found[book.title, book.source] = (
            keys | (on_disk.keys() & set(book.keys)),
            running or at_work,
        )
    listed = [
        _sum_entries(title, source, [on_disk[key] for key in keys], running)
        for (title, source), (keys, running) in found.items()
        if keys
    ]
    known = {key for keys, _ in found.values() for key in keys}
    others = [item for key, item in on_disk.items() if key not in known]
    listed.sort(key=lambda share: -share.used_s)
    return (*listed, *([_sum_entries("", "", others, False)] if others else []))


def _sum_entries(
    title: str, source: str, entries: Sequence[CachedFile], running: bool
) -> BookShare:
    return BookShare(
        title,
        source,
        len(entries),
        sum(item.size_bytes for item in entries),
        max(item.used_s for item in entries),
        running,
    )


def prune_cache(cache: Path, *, used_before_s: float, most_bytes: int | None = None) -> PruneResult:
    """Removes entries last used before that time, then the longest unused ones until at most
    `most_bytes` are left; never one that a running job needs. Raises UserError where nothing may be
    removed."""
    with block_new_runs(cache):
        return _remove_entries(cache, used_before_s, most_bytes)


def _remove_entries(cache: Path, used_before_s: float, most_bytes: int | None) -> PruneResult:
    needed = {key for _, book, running in list_leases(cache) if running for key in book.keys}
    left = sorted(list_entries(cache), key=lambda item: item.used_s)
    total = sum(item.size_bytes for item in left)
    removed = freed = kept = 0
    for item in left:
        too_much = most_bytes is not None and total - freed > most_bytes
        if not (item.used_s < used_before_s or too_much):
            continue
        if item.key in needed:
            kept += 1
            continue
        with contextlib.suppress(OSError):
            item.path.unlink()
            removed, freed = removed + 1, freed + item.size_bytes
    for item in list_encoded(cache):
        # They are made again of the entries in a minute, so that they go first of all.
        if item.used_s < used_before_s or most_bytes is not None:
            with contextlib.suppress(OSError):
                item.path.unlink()
                freed += item.size_bytes
    with contextlib.suppress(OSError):  # they do no harm
        Claims().sweep(cache.glob(f"??/*{SUFFIX}*"))
    _drop_empty_lists(cache)
    return PruneResult(removed, freed, kept)


def _drop_empty_lists(cache: Path) -> None:
    """Drops the lists of books that have nothing left."""
    there = {item.key for item in list_entries(cache)}
    for path, book, running in list_leases(cache):
        if not running and there.isdisjoint(book.keys):
            remove_file(path)
