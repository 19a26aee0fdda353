"""The sound of finished files: whole frames of one size, with which each file ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tts_book import audio
from tts_book.audio.mp3_frames import CURRENCY
from tts_book.errors import AudioError

_BLOCK_BYTES = 1 << 20


def form_of(path: Path, frames: int) -> audio.Format:
    """The format of the `frames` frames that end the file, as the first of them tells. Raises
    AudioError where they do not, and where it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            for frame_bytes in (CURRENCY.frame_bytes, size // frames):
                file.seek(max(0, size - frames * frame_bytes))
                header = file.read(4)
                try:
                    form = audio.format_at(header)
                except AudioError:
                    continue
                if form.frame_bytes == frame_bytes:
                    return form
    except OSError as error:
        raise AudioError(f"{path.name} cannot be read: {error.strerror}.") from error
    raise AudioError(f"{path.name} is not the file that was written.")


def last(path: Path, size: int) -> Iterator[bytes]:
    """The last `size` bytes of a file, in blocks."""
    with path.open("rb") as file:
        file.seek(-size, 2)
        while block := file.read(_BLOCK_BYTES):
            yield block
