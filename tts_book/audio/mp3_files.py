"""Finished MP3 files: where their frames are, whatever tags stand around them, and whether they are
what the stitcher wrote."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tts_book.audio.mp3_frames import CURRENCY, Format, format_at, is_uniform
from tts_book.errors import AudioError

_BLOCK_BYTES = 1 << 20
_CHECKED_FRAMES = 8_192
_READ_FRAMES = 64  # 1.5 s: so often is told how far encoding is
_ID3V1_BYTES = 128
_APE_FOOTER_BYTES = 32
_APE_HAS_HEADER = 1 << 31


@dataclass(frozen=True, slots=True)
class FileFrames:
    """Which bytes of a file are frames: those between the tags in front and behind. `info` is the
    first of them where that only tells about the stream, and the `stated` number of frames what it
    says."""

    form: Format
    start: int
    stop: int
    info: bool
    stated: int | None

    @property
    def sound_at(self) -> int:
        """The byte at which the first frame with sound begins."""
        return self.start + self.info * self.form.frame_bytes


def find_frames(file: IO[bytes]) -> FileFrames:
    """The frames of an open file. Raises AudioError where none begins behind the tag."""
    file.seek(0)
    start = _tag_bytes(file.read(10))
    stop = _before_tags(file, file.seek(0, 2))
    file.seek(start)
    first = file.read(2_048)
    form = format_at(first)
    notice = first[form.main_at : form.main_at + 4]
    info = notice in (b"Info", b"Xing")
    flags, frames = struct.unpack_from(">II", first, form.main_at + 4) if info else (0, 0)
    return FileFrames(form, start, stop, info, int(frames) if flags & 1 else None)


def _tag_bytes(head: bytes) -> int:
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _before_tags(file: IO[bytes], stop: int) -> int:
    """Where the tags begin that other programs put behind the sound: ID3v1 and APE."""
    file.seek(max(0, stop - _ID3V1_BYTES))
    if file.read(3) == b"TAG":
        stop -= _ID3V1_BYTES
    file.seek(max(0, stop - _APE_FOOTER_BYTES))
    footer = file.read(_APE_FOOTER_BYTES)
    if footer.startswith(b"APETAGEX"):
        size, _, flags = struct.unpack_from("<III", footer, 12)
        stop -= size + (_APE_FOOTER_BYTES if flags & _APE_HAS_HEADER else 0)
    return stop


def read_blocks(path: Path) -> Iterator[tuple[FileFrames, bytes]]:
    """The frames with sound of a file, in blocks of whole frames. Raises AudioError where it
    cannot be read, or holds anything else."""
    try:
        with path.open("rb") as file:
            span = find_frames(file)
            at, size = span.sound_at, span.form.frame_bytes
            file.seek(at)
            while at < span.stop:
                block = file.read(min(_READ_FRAMES * size, span.stop - at))
                if not is_uniform(block, span.form):
                    raise AudioError(f"{path} has no whole frames of one kind at byte {at}.")
                at += len(block)
                yield span, block
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}") from error


def find_faults(path: Path) -> Iterator[str]:
    """What is wrong with the frames of a file that the stitcher wrote."""
    with path.open("rb") as file:
        try:
            span = find_frames(file)
        except AudioError as error:
            yield f"no sound behind its tag: {error}"
            return
        frames, rest = divmod(span.stop - span.start, span.form.frame_bytes)
        if rest:
            yield f"its last frame has {rest} of {span.form.frame_bytes} bytes"
        if span.stated is not None and span.stated != frames - 1:
            yield f"its header states {span.stated} frames, there are {frames - 1}"
        file.seek(span.start)
        yield from _find_odd_frames(file, span.form, frames)


def _find_odd_frames(file: IO[bytes], form: Format, frames: int) -> Iterator[str]:
    for at in range(0, frames, _CHECKED_FRAMES):
        block = file.read(min(_CHECKED_FRAMES, frames - at) * form.frame_bytes)
        if not is_uniform(block, form):
            seconds = at * form.samples / form.rate_hz
            yield f"frames of another kind or damage after {seconds:.0f} s"
            return


def read_format(path: Path, frames: int) -> Format:
    """The format of the `frames` frames that end the file, as the first of them tells. Raises
    AudioError where they do not, and where it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            for frame_bytes in (CURRENCY.frame_bytes, size // frames):
                file.seek(max(0, size - frames * frame_bytes))
                header = file.read(4)
                try:
                    form = format_at(header)
                except AudioError:
                    continue
                if form.frame_bytes == frame_bytes:
                    return form
    except OSError as error:
        raise AudioError(f"{path.name} cannot be read: {error.strerror}.") from error
    raise AudioError(f"{path.name} is not the file that was written.")


def read_end(path: Path, size: int) -> Iterator[bytes]:
    """The last `size` bytes of a file, in blocks."""
    with path.open("rb") as file:
        file.seek(-size, 2)
        while block := file.read(_BLOCK_BYTES):
            yield block
