"""Chapters as they were encoded for M4B and Opus, kept beside the spoken chunks: where one chapter
of a book has changed, only that one is encoded again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import zlib
from pathlib import Path

from tts_book.audio import mp3_files
from tts_book.audio.containers import Codec

# About 28 hours of M4B, or 70 of Opus; the longest unused go first.
MOST_BYTES = 1_000_000_000
_BLOCK_BYTES = 1 << 20


class EncodedChapters:
    """A folder of encoded chapters. Each is called after what it was made of and a checksum of its
    bytes, so that a damaged one is encoded again."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder, self._most_bytes = folder, most_bytes

    def find_key(self, chapter: Path, frames: int, codec: Codec, gain_db: float) -> str:
        """What decides the encoded bytes: the sound, not its tags, the codec and the gain."""
        form = mp3_files.read_format(chapter, frames)
        digest = hashlib.sha256(f"{codec!r} {gain_db!r}\n".encode())
        for block in mp3_files.read_end(chapter, frames * form.frame_bytes):
            digest.update(block)
        return digest.hexdigest()

    def take(self, key: str, target: Path) -> bool:
        """Puts a kept chapter at `target`; whether there was a whole one."""
        for kept in self._folder.glob(f"{key}.*"):
            try:
                os.utime(kept)  # used now
                if f"{_checksum(kept):08x}" == kept.suffix[1:]:
                    _place(kept, target)
                    return True
                kept.unlink()
            except OSError:  # another run has removed it, or it cannot be read
                continue
        return False

    def keep(self, key: str, encoded: Path) -> None:
        """Keeps a copy of an encoded chapter. Where that fails, it is encoded again next time."""
        part = self._folder / f".{key}-{os.getpid()}.part"
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                _place(encoded, part)
                part.replace(self._folder / f"{key}.{_checksum(encoded):08x}")
            finally:
                part.unlink(missing_ok=True)

    def trim(self) -> None:
        """Removes what is unused the longest, until the rest is small enough."""
        sizes = []
        for path in self._folder.glob("*"):
            with contextlib.suppress(OSError):
                found = path.stat()
                sizes.append((found.st_mtime, found.st_size, path))
        total = sum(size for _, size, _ in sizes)
        for _, size, path in sorted(sizes):
            if total <= self._most_bytes:
                return
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size


def _place(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the disk has no second names. Neither is ever
    written to again."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            checksum = zlib.crc32(block, checksum)
    return checksum
