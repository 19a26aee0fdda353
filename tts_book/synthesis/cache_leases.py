"""Which book needs which entries of the cache, and who is at work on it.

Every run writes the keys of its books into lists in the folder `books` of the cache and holds a
lock there as long as it lives, which the lists name. So the cache can be shown by book, what a
running job needs is never removed, and no two runs write the same book at once. The system lets go
of a lock when its process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from tts_book.errors import UserError
from tts_book.synthesis.atomic import open_replacing, remove_file

FOLDER = "books"
_SUFFIX = ".json"
_LOCK = ".lock"
# Held for a moment by a run that begins, and as long as entries are thrown away.
_DOOR = "door.lock"
_DOOR_S = 60.0
_RUN = re.compile(rf"run-\d+-\w+{re.escape(_LOCK)}")
_RUN_PREFIX = "tts-book-run-"


@dataclass(frozen=True, slots=True)
class CacheLease:
    """The list of one book: its title, its source, the place of its files, and the keys of its
    chunks."""

    title: str
    source: str
    place: str
    keys: tuple[str, ...]


class CacheBusy(UserError):
    """Entries are being removed, so that no run may begin; try again."""


class BookBusy(UserError):
    """Another run, the `writer`, is at work on a book in the same place."""

    def __init__(self, title: str, writer: str) -> None:
        super().__init__(
            f'"{title}" is being converted by another run ({writer}): wait until that is done, or '
            "stop it. Runs that are all given --share divide the work."
        )
        self.writer = writer


@contextlib.contextmanager
def hold_entries(
    cache: Path, books: Sequence[CacheLease], *, passing: bool = False
) -> Iterator[None]:
    """Keeps the entries of these books from being removed for as long as the block runs; nothing
    is known of them afterwards if that is `passing`. Raises CacheBusy, and BookBusy where another
    run is at work on one of them, in the same place."""
    with contextlib.ExitStack() as held:
        try:
            _begin_run(cache / FOLDER, books, held, passing)
        except Timeout:
            raise CacheBusy(
                f"Another process is removing entries from the cache {cache}: wait until that is "
                "done, then run the same command again."
            ) from None
        except (OSError, NotImplementedError):
            # An unwritable cache is reported at the first write; one that has everything and can
            # only be read needs no list.
            pass
        yield


@contextlib.contextmanager
def block_new_runs(cache: Path) -> Iterator[None]:
    """Lets no run begin as long as the block runs: it would count on what is about to go. Raises
    UserError where nothing may be removed."""
    with contextlib.ExitStack() as held:
        try:
            if (cache / FOLDER).is_dir():
                held.enter_context(_lock_door(cache / FOLDER, _DOOR_S))
        except OSError as error:
            reason = error.strerror or "another process is at it"
            raise UserError(f"Nothing can be removed from {cache}: {reason}.") from error
        yield


def _lock_door(folder: Path, timeout_s: float) -> contextlib.AbstractContextManager[object]:
    return FileLock(folder / _DOOR).acquire(timeout=timeout_s)


def _begin_run(
    folder: Path, books: Sequence[CacheLease], held: contextlib.ExitStack, passing: bool
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with _lock_door(folder, 0):
        for book in books:
            _refuse_second(folder, book)
        run = _lock_run(folder, held)
        for book in books:
            _write_list(_list_of(folder, book), book, run)
            if passing:
                held.callback(remove_file, _list_of(folder, book))


def _refuse_second(folder: Path, book: CacheLease) -> None:
    found = _read_list(_list_of(folder, book))
    if found and _is_running(folder / found[1]):
        _, process, _ = found[1].split("-")
        raise BookBusy(book.title, f"process {process}")


def _lock_run(folder: Path, held: contextlib.ExitStack) -> str:
    """The name of this run's lock, which is held until the stack is closed."""
    handle, name = tempfile.mkstemp(prefix=f"run-{os.getpid()}-", suffix=_LOCK, dir=folder)
    os.close(handle)
    held.callback(remove_file, Path(name))
    lock = FileLock(name)
    lock.acquire(timeout=0)
    held.callback(lock.release, force=True)
    return Path(name).name


def _list_of(folder: Path, book: CacheLease) -> Path:
    name = hashlib.sha256(book.place.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return folder / f"{name}{_SUFFIX}"


def _write_list(path: Path, book: CacheLease, run: str) -> None:
    content = json.dumps([book.title, book.source, book.place, book.keys, run])
    with open_replacing(path) as file:
        file.write(content.encode())


def _read_list(path: Path) -> tuple[CacheLease, str] | None:
    """A list and the lock of its run; None without one, and for one that is damaged."""
    try:
        title, source, place, keys, run = json.loads(path.read_text("utf-8"))
        book = CacheLease(str(title), str(source), str(place), tuple(map(str, keys)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return (book, str(run)) if _RUN.fullmatch(str(run)) else None


def list_leases(cache: Path) -> Iterator[tuple[Path, CacheLease, bool]]:
    """Every list, and whether its run is at work."""
    running: dict[str, bool] = {}
    for path in sorted((cache / FOLDER).glob(f"*{_SUFFIX}")):
        if found := _read_list(path):
            book, run = found
            if run not in running:
                running[run] = _is_running(path.with_name(run))
            yield path, book, running[run]


def _is_running(lock: Path) -> bool:
    """Whether somebody holds it. Its name is of one run only, so one that is free can go."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock).acquire(timeout=0):
            remove_file(lock)
            return False
    except OSError:  # it is held; and where it cannot be asked, nothing is risked
        return True


@contextlib.contextmanager
def make_run_folder(beside: Path) -> Iterator[Path]:
    """A folder that is gone when the block ends; what killed runs left of theirs goes, too."""
    remove_dead_folders(beside)
    # The lock is held before the folder is there, so that no process sees one without the other.
    handle, name = tempfile.mkstemp(prefix=_RUN_PREFIX, suffix=_LOCK, dir=beside)
    os.close(handle)
    lock, folder = FileLock(name), Path(name).with_suffix("")
    with lock.acquire(timeout=0):
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    _drop_lock(Path(name), folder)


def remove_dead_folders(beside: Path) -> None:
    """Removes the folders of runs that were killed: those whose locks are free."""
    for path in beside.glob(f"{_RUN_PREFIX}*{_LOCK}"):
        folder = path.with_suffix("")
        if folder.is_dir() and not folder.is_symlink():
            with contextlib.suppress(OSError):  # it is held, or not ours
                with FileLock(path).acquire(timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)
                _drop_lock(path, folder)


def _drop_lock(lock: Path, folder: Path) -> None:
    """A folder that could not be removed keeps its lock, for the next sweep."""
    if not folder.exists():
        remove_file(lock)
