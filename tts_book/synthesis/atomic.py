"""Files that appear whole or not at all: under a temporary name first, then under their own."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count, repeat
from pathlib import Path
from typing import IO, Any

from tts_book.errors import AudioError, UserError

# A file under such a name is what a killed run left behind, and may be deleted.
PART_PREFIX, PART_SUFFIX = ".tts-book-", ".part"
# No name is given twice in a process: a part that is still written to may have been taken away.
_NUMBERS = count()
_REPLACE_WAITS_S = (0.1, 0.2, 0.4, 0.8, 1.6)

_FIXES = {
    errno.ENOSPC: "the disk is full: make room, then run the same command again",
    errno.EDQUOT: "your disk quota is used up: make room, then run the same command again",
    errno.EFBIG: "the file grows larger than this disk or your limits allow: use another folder",
    errno.EACCES: "writing is not allowed: choose another folder with -o",
    errno.EPERM: "writing is not allowed: choose another folder with -o",
    errno.EROFS: "the disk is read-only: choose another folder with -o",
    errno.ENOTDIR: "a part of this path is a file: choose another folder with -o",
    errno.EEXIST: "a file is where the folder should be: choose another folder with -o",
    errno.EISDIR: "a folder is where the file should be: move it away",
    errno.ENOENT: "its folder was taken away meanwhile: run the same command again",
    errno.EMFILE: "too many files are open: convert fewer books at once",
    errno.ENAMETOOLONG: "the name is too long for this disk: choose a shorter one with -o",
}


def find_leftovers(folder: Path) -> tuple[Path, ...]:
    """Parts of files in this folder that a killed run left behind."""
    return tuple(sorted(folder.glob(f"{PART_PREFIX}*{PART_SUFFIX}")))


@contextlib.contextmanager
def open_replacing(
    target: Path,
    replace: Callable[[Path, Path], None] = os.replace,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[IO[bytes]]:
    """A new file, open for writing, in a folder that is made where it is missing. When the block
    ends well, the file gets its name as soon as all of it is on the disk. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    file = open_part(target.parent)
    part = Path(file.name)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        rename_patiently(part, target, replace, sleep)
    except BaseException:  # Ctrl-C as well leaves no part behind
        part.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def report_failure(target: Path) -> Iterator[None]:
    """Raises UserError where the disk does not take the file `target`."""
    try:
        yield
    except OSError as error:
        raise explain_failure(error, target) from error


@contextlib.contextmanager
def replace_file(target: Path) -> Iterator[Path]:
    """A path beside the target, for a file that another library writes. When the block ends well,
    the file gets its name. Raises UserError where that fails."""
    with report_failure(target), make_part_folder(target.parent) as place:
        part = place / target.name
        yield part
        name_part(part, target)


@contextlib.contextmanager
def make_part_folder(beside: Path) -> Iterator[Path]:
    """A folder for unfinished files, gone when the block ends."""
    beside.mkdir(parents=True, exist_ok=True)
    place = next(place for place in map(_name_unfinished, repeat(beside)) if _make_folder(place))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _name_unfinished(beside: Path) -> Path:
    return beside / f"{PART_PREFIX}{os.getpid()}-{next(_NUMBERS)}{PART_SUFFIX}"


def _make_folder(place: Path) -> bool:
    try:
        place.mkdir()
    except FileExistsError:
        return False
    return True


def write_file(
    target: Path,
    blocks: Iterable[bytes | memoryview],
    expected: int,
    replace: Callable[[Path, Path], None] = os.replace,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Writes the blocks as the file `target`. Raises UserError where that fails, AudioError where
    they are not `expected` bytes."""
    with report_failure(target), open_replacing(target, replace, sleep) as file:
        for block in blocks:
            file.write(block)
        if file.tell() != expected:
            raise AudioError(f"{target.name} came out with {file.tell()}, not {expected} bytes.")


def remove_file(path: Path) -> None:
    """Removes a file; one that cannot be removed does no harm."""
    with contextlib.suppress(OSError):
        path.unlink()


def name_part(part: Path, target: Path) -> None:
    """Gives a file that is written its name, when all of it is on the disk. Raises OSError."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    rename_patiently(part, target, os.replace, time.sleep)


def open_part(folder: Path) -> IO[bytes]:
    """A new file with a name that leftovers are known by, open for writing."""
    while True:
        with contextlib.suppress(FileExistsError):
            return _name_unfinished(folder).open("xb")


def rename_patiently(
    part: Path,
    target: Path,
    replace: Callable[[Path, Path], None],
    sleep: Callable[[float], None],
) -> None:
    """Renames a file. Windows refuses while another program has the target open, as players and
    virus scanners do; that passes. Raises OSError."""
    for wait_s in _REPLACE_WAITS_S:
        try:
            return replace(part, target)
        except PermissionError:
            sleep(wait_s)
    return replace(part, target)


def explain_failure(error: OSError, target: Path) -> UserError:
    """Why a file cannot be written, and what to do; an unfinished one is named by its book's
    folder."""
    fix = _FIXES.get(error.errno or 0, f"{error.strerror or error}: choose another folder with -o")
    inside = target.parent.name.startswith(PART_PREFIX)
    place = target.parent.parent if inside else target.parent
    return UserError(f"Cannot write {target.name} in {place}: {fix}.")


# A part without its writer's number in its name is given up after so long.
OLD_S = 3_600.0
_NUMBERED = re.compile(re.escape(PART_PREFIX) + r"(\d+)(?:-\d+)?" + re.escape(PART_SUFFIX))


def remove_leftovers(
    folders: Iterable[Path],
    *,
    lives: Callable[[int], bool] | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Removes the parts in these folders whose writers are gone. `lives` answers for the number
    of a process. What cannot be removed is left: it does no harm."""
    lives = lives or is_running
    for part in (part for folder in folders for part in find_leftovers(folder)):
        with contextlib.suppress(OSError):
            if _is_abandoned(part, lives, clock()):
                _remove_part(part)


def _is_abandoned(part: Path, lives: Callable[[int], bool], now_s: float) -> bool:
    numbered = _NUMBERED.fullmatch(part.name)
    if numbered:
        return not lives(int(numbered[1]))
    return now_s - part.lstat().st_mtime > OLD_S


def _remove_part(part: Path) -> None:
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part)
    else:
        part.unlink()


def is_running(process: int) -> bool:
    """Whether there is a process of this number."""
    if process == os.getpid():
        return True
    if os.name == "nt":
        import ctypes

        return lives_on_windows(process, getattr(ctypes, "windll").kernel32)  # noqa: B009 - only there
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


_QUERY_LIMITED_INFORMATION = 0x1000
_ACCESS_DENIED, _STILL_ACTIVE = 5, 259


def lives_on_windows(process: int, kernel32: Any) -> bool:
    """Whether a process runs, where asking with a signal would end it."""
    import ctypes

    if process >= 1 << 32:
        return False
    handle = kernel32.OpenProcess(_QUERY_LIMITED_INFORMATION, False, process)
    if not handle:
        return bool(kernel32.GetLastError() == _ACCESS_DENIED)
    try:
        code = ctypes.c_ulong()
        known = kernel32.GetExitCodeProcess(handle, ctypes.byref(code))
        return not known or code.value == _STILL_ACTIVE
    finally:
        kernel32.CloseHandle(handle)
