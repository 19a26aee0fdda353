"""Kindle, RTF and OpenDocument books: Calibre's ebook-convert makes an EPUB of them.

The book lies in a folder of its own under a name of ours, so that no name of a file can be taken
for an option, and nothing is left behind.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tts_book.errors import UserError

PROGRAM = "ebook-convert"
TIMEOUT_S = 600.0
KINDS = {
    ".mobi": "a Kindle book",
    ".azw": "a Kindle book",
    ".azw3": "a Kindle book",
    ".prc": "a Kindle book",
    ".odt": "an OpenDocument text",
    ".rtf": "an RTF document",
}

Run = Callable[[Sequence[str], float], tuple[int, str]]
"""Runs a program with its arguments for at most so many seconds: exit code and what it said."""


def convert_to_epub(
    data: bytes,
    suffix: str,
    name: str,
    *,
    find: Callable[[str], str | None] = shutil.which,
    run: Run | None = None,
) -> bytes:
    """The EPUB that Calibre makes of a book of the kind `suffix`. Raises UserError without
    Calibre, for locked books, and for what Calibre cannot read."""
    program = find(PROGRAM)
    if program is None:
        raise UserError(
            f"{name} is {KINDS[suffix]}, which Calibre's {PROGRAM} must turn into an EPUB: "
            "install Calibre (calibre-ebook.com), or save the book as .epub, .fb2 or .txt"
        )
    with tempfile.TemporaryDirectory(prefix="tts-book-") as folder:
        given, made = Path(folder, f"book{suffix}"), Path(folder, "made.epub")
        given.write_bytes(data)
        code, said = (run or _run)([program, str(given), str(made)], TIMEOUT_S)
        if code or not made.is_file():
            raise UserError(_fault(name, code, said))
        return made.read_bytes()


def _fault(name: str, code: int, said: str) -> str:
    if "DRM" in said:
        return f"{name} is locked (DRM): only books without a lock can be read aloud"
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
    why = f": {last[:120]}" if last else f" (exit code {code})"
    return f"{name} cannot be read by Calibre{why}"


def _run(command: Sequence[str], timeout_s: float) -> tuple[int, str]:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, f"no answer within {timeout_s:.0f} seconds"
    except OSError as error:
        return -1, str(error)
    return done.returncode, done.stdout.decode("utf-8", "replace")
