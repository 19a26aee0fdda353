"""Which book needs which entries of the cache, and what may be thrown away.

Every run writes the keys of its books into a list in the folder `books` of the cache and holds a
lock beside it as long as it lives. So the cache can be shown by book, and what a running job needs
is never removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

FOLDER = "books"
_SUFFIX = ".json"
_LOCK = ".lock"
_RUN_PREFIX = "tts-book-run-"


@dataclass(frozen=True, slots=True)
class Kept:
    """The list of one book: its title, its source, and the keys of its chunks."""

    title: str
    source: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """An entry on disk: `used_s` is when it was last read or written (seconds since 1970)."""

    key: str
    path: Path
    size_bytes: int
    used_s: float


@dataclass(frozen=True, slots=True)
class Share:
    """What a book has in the cache. `running`: a job is working on it now."""

    title: str
    source: str
    entries: int
    size_bytes: int
    used_s: float
    running: bool


@contextlib.contextmanager
def holding(cache: Path, books: Sequence[Kept]) -> Iterator[None]:
    """Keeps the entries of these books from being removed for as long as the block runs."""
    folder = cache / FOLDER
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for book in books:
                held.callback(_held(folder, book).release, force=True)
        except OSError:
            # A cache that cannot be written is told when the first entry is put; a whole one that
            # can only be read needs no list.
            yield
            return
        yield


def _held(folder: Path, book: Kept) -> FileLock:
    """A list of its own for each run, also for two runs of one book at once."""
    name = hashlib.sha256(f"{book.source}\n{book.title}".encode()).hexdigest()[:16]
    number = 0
    while True:
        path = folder / f"{name}-{number}{_SUFFIX}"
        lock = FileLock(f"{path}{_LOCK}")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            number += 1
            continue
        _write(path, book)
        return lock


def _write(path: Path, book: Kept) -> None:
    handle, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump([book.title, book.source, book.keys], file, ensure_ascii=False)
    Path(part).replace(path)


def _lists(cache: Path) -> Iterator[tuple[Path, Kept]]:
    for path in sorted((cache / FOLDER).glob(f"*{_SUFFIX}")):
        with contextlib.suppress(OSError, ValueError, TypeError):
            title, source, keys = json.loads(path.read_text("utf-8"))
            yield path, Kept(str(title), str(source), tuple(map(str, keys)))


def _is_running(path: Path) -> bool:
    lock = FileLock(f"{path}{_LOCK}")
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def items(cache: Path) -> Iterator[Item]:
    """All entries on disk, in no order."""
    for path in cache.glob("??/*.mp3"):
        with contextlib.suppress(OSError):
            found = path.stat()
            yield Item(path.stem, path, found.st_size, found.st_mtime)


def shares(cache: Path) -> tuple[Share, ...]:
    """What each book has in the cache, the last used first; entries of no known book last."""
    on_disk = {item.key: item for item in items(cache)}
    found: dict[tuple[str, str], tuple[set[str], bool]] = {}
    for path, book in _lists(cache):
        keys, running = found.get((book.title, book.source), (set(), False))
        found[book.title, book.source] = (
            keys | (on_disk.keys() & set(book.keys)),
            running or _is_running(path),
        )
    told = [
        _share(title, source, [on_disk[key] for key in keys], running)
        for (title, source), (keys, running) in found.items()
        if keys
    ]
    known = {key for keys, _ in found.values() for key in keys}
    others = [item for key, item in on_disk.items() if key not in known]
    told.sort(key=lambda share: -share.used_s)
    return (*told, *([_share("", "", others, False)] if others else []))


def _share(title: str, source: str, entries: Sequence[Item], running: bool) -> Share:
    return Share(
        title,
        source,
        len(entries),
        sum(item.size_bytes for item in entries),
        max(item.used_s for item in entries),
        running,
    )


def prune(cache: Path, *, used_before_s: float, most_bytes: int | None = None) -> tuple[int, int]:
    """Removes entries last used before that time, then the longest unused ones until at most
    `most_bytes` are left; never one that a running job needs. Gives how many, and their bytes."""
    needed = {key for path, book in _lists(cache) if _is_running(path) for key in book.keys}
    left = sorted(items(cache), key=lambda item: item.used_s)
    total = sum(item.size_bytes for item in left)
    removed = freed = 0
    for item in left:
        too_much = most_bytes is not None and total - freed > most_bytes
        if item.key in needed or not (item.used_s < used_before_s or too_much):
            continue
        with contextlib.suppress(OSError):
            item.path.unlink()
            removed, freed = removed + 1, freed + item.size_bytes
    _forget(cache)
    return removed, freed


def _forget(cache: Path) -> None:
    """Drops the lists of books that have nothing left."""
    there = {item.key for item in items(cache)}
    for path, book in _lists(cache):
        if not there.intersection(book.keys) and not _is_running(path):
            with contextlib.suppress(OSError):
                path.unlink()
                Path(f"{path}{_LOCK}").unlink()


@contextlib.contextmanager
def for_this_run(beside: Path) -> Iterator[Path]:
    """A folder that is gone when the block ends; what killed runs left of theirs goes, too."""
    sweep_runs(beside)
    # The lock is held before the folder is there, so that nobody sees one without the other.
    handle, name = tempfile.mkstemp(prefix=_RUN_PREFIX, suffix=_LOCK, dir=beside)
    os.close(handle)
    lock, folder = FileLock(name), Path(name).with_suffix("")
    with lock.acquire(timeout=0):
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    _drop(Path(name), folder)


def sweep_runs(beside: Path) -> None:
    """Removes the folders of runs that were killed: those whose locks nobody holds."""
    for path in beside.glob(f"{_RUN_PREFIX}*{_LOCK}"):
        folder = path.with_suffix("")
        if folder.is_dir() and not folder.is_symlink():
            with contextlib.suppress(OSError):  # it is held, or somebody else's
                with FileLock(path).acquire(timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)
                _drop(path, folder)


def _drop(lock: Path, folder: Path) -> None:
    """A folder that could not be removed keeps its lock, for the next sweep."""
    if not folder.exists():
        with contextlib.suppress(OSError):
            lock.unlink()
