"""Whether a book was converted just like this before, and all its files are still as they were.

The question is answered from the source's bytes and the record's last line alone, without reading
the book, so that running a command again over a finished library costs next to nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tts_book import __version__

# The last line of a record is short; this is room for some thousand files.
_TAIL_BYTES = 1 << 20


def fingerprint_request(sources: Iterable[Path], wishes: Sequence[object]) -> str:
    """A fingerprint of everything that could change the result: this program, the bytes of these
    files (absent ones, too), and the wishes as they print. Raises OSError."""
    digest = hashlib.sha256(f"{__version__}\n{[repr(wish) for wish in wishes]}".encode())
    for path in sources:
        digest.update(f"\n{path}\n".encode("utf-8", "surrogatepass"))
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def read_file_states(files: Iterable[Path]) -> dict[str, list[int]]:
    """Size and time of change of each file. Raises OSError where one is not there."""
    return {str(path): [path.stat().st_size, path.stat().st_mtime_ns] for path in files}


def find_finished_files(record: Path, fingerprint: str) -> tuple[Path, ...]:
    """The files of a whole run with this fingerprint, if all of them are as that run left them;
    none otherwise."""
    last = _last_line(record)
    whole = last.get("whole")
    if not isinstance(whole, dict) or whole.get("asked") != fingerprint:
        return ()
    files = tuple(Path(name) for name in whole["files"])
    try:
        return files if read_file_states(files) == whole["files"] else ()
    except OSError:
        return ()


def _last_line(record: Path) -> dict[str, Any]:
    try:
        with record.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            tail = file.read()
        last = json.loads(tail.rstrip(b"\n").rpartition(b"\n")[2])
    except (OSError, ValueError):
        return {}
    return last if isinstance(last, dict) else {}
