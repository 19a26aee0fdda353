"""Whether an MP3 file is whole: every byte in a frame, and as many frames as its header tells."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tts_book.audio.mp3_frames import Format, format_at, is_uniform
from tts_book.errors import AudioError

_BLOCK_FRAMES = 8_192


def fault(path: Path) -> Iterator[str]:
    """What is wrong with the frames of a file that the stitcher wrote."""
    with path.open("rb") as file:
        head = file.read(10)
        start = _tag_bytes(head)
        file.seek(start)
        first = file.read(2_048)
        try:
            form = format_at(first)
        except AudioError as error:
            yield f"no sound behind its tag: {error}"
            return
        size = file.seek(0, 2) - start
        told = _told(first, form)
        frames, rest = divmod(size, form.frame_bytes)
        if rest:
            yield f"its last frame has {rest} of {form.frame_bytes} bytes"
        if told is not None and told != frames - 1:
            yield f"its header tells {told} frames, there are {frames - 1}"
        file.seek(start)
        yield from _odd(file, form, frames)


def _tag_bytes(head: bytes) -> int:
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _told(first: bytes, form: Format) -> int | None:
    at = form.main_at
    if first[at : at + 4] not in (b"Info", b"Xing"):
        return None
    flags, frames = struct.unpack_from(">II", first, at + 4)
    return int(frames) if flags & 1 else None


def _odd(file: IO[bytes], form: Format, frames: int) -> Iterator[str]:
    for at in range(0, frames, _BLOCK_FRAMES):
        block = file.read(min(_BLOCK_FRAMES, frames - at) * form.frame_bytes)
        if not is_uniform(block, form):
            seconds = at * form.samples / form.rate_hz
            yield f"frames of another kind or damage after {seconds:.0f} s"
            return
