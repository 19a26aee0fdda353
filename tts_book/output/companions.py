"""Files that show a written book instead of playing it: a page and an EPUB that read along.

They are made of the manifest and of the audio beside it, so they are written last and need nothing
of the run itself.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from tts_book.errors import UserError
from tts_book.output.manifest import NAME, book_folder, read_run
from tts_book.output.paths import COMPANIONS
from tts_book.synthesis.chunk_cache import ChunkCache

_MARK = b'content="tts-book"'
_MARK_WITHIN_BYTES = 4_096


def companion_path(manifest: Path, kind: str) -> Path:
    """Where a companion of a book is written, by the book's manifest: beside the audio."""
    stem = manifest.name.removesuffix(NAME).rstrip(".") or book_folder(manifest).resolve().name
    return book_folder(manifest) / f"{stem}{COMPANIONS[kind]}"


def find_companions(manifest: Path, kinds: Sequence[str]) -> tuple[Path, ...] | None:
    """The companions of these kinds, None if one is absent."""
    paths = tuple(companion_path(manifest, kind) for kind in kinds)
    return paths if all(path.is_file() for path in paths) else None


def write_companions(manifest: Path, kinds: Sequence[str], cache: ChunkCache) -> tuple[Path, ...]:
    """Writes the companions of these kinds; none where the manifest cannot be read, because nothing
    of the book was written. Raises UserError."""
    run = read_run(manifest) if kinds else None
    if run is None:
        return ()
    # Only here, so that a run without companions does not wait for them.
    from tts_book.output.epub import write_epub
    from tts_book.output.manifest import Manifest
    from tts_book.output.page import write_page
    from tts_book.output.readalong import ReadAlong

    writers = {"page": write_page, "epub": write_epub}
    book = ReadAlong(Manifest(manifest, run, cache))
    if not book.has_chapters:
        return ()
    return tuple(writers[kind](book, companion_path(manifest, kind)) for kind in kinds)


def refuse_foreign(paths: Sequence[Path]) -> None:
    """Raises UserError if there is a file that tts-book did not write."""
    for path in paths:
        if path.exists() and not is_own(path):
            raise UserError(
                f"{path} exists and was not written by tts-book: move it away, or name another "
                "place with -o."
            )


def is_own(path: Path) -> bool:
    """Whether tts-book wrote this page or EPUB."""
    try:
        if path.suffix.lower() == COMPANIONS["epub"]:
            from tts_book.output.epub import PACKAGE

            with zipfile.ZipFile(path) as archive, archive.open(PACKAGE) as file:
                return _MARK in file.read(_MARK_WITHIN_BYTES)
        with path.open("rb") as file:
            return _MARK in file.read(_MARK_WITHIN_BYTES)
    except (OSError, KeyError, zipfile.BadZipFile):
        return False
