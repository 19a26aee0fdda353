"""Takes away what killed runs left unfinished beside a book's files, and nothing that lives."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tts_book.output import atomic as parts

# A part without its writer's number in its name is given up after so long.
OLD_S = 3_600.0
_NUMBERED = re.compile(
    re.escape(parts.PART_PREFIX) + r"(\d+)(?:-\d+)?" + re.escape(parts.PART_SUFFIX)
)


def sweep(
    folders: Iterable[Path],
    *,
    lives: Callable[[int], bool] | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Removes the parts in these folders whose writers are gone. `lives` answers for the number
    of a process. What cannot be removed is left: it is in nobody's way."""
    lives = lives or _lives
    for part in (part for folder in folders for part in parts.leftovers(folder)):
        with contextlib.suppress(OSError):
            if _abandoned(part, lives, clock()):
                _remove(part)


def _abandoned(part: Path, lives: Callable[[int], bool], now_s: float) -> bool:
    numbered = _NUMBERED.fullmatch(part.name)
    if numbered:
        return not lives(int(numbered[1]))
    return now_s - part.lstat().st_mtime > OLD_S


def _remove(part: Path) -> None:
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part)
    else:
        part.unlink()


def _lives(process: int) -> bool:
    if process == os.getpid():
        return True
    if os.name == "nt":
        return False  # asking would end it; but there an open file cannot be removed
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
