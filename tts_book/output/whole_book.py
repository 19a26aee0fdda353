"""Files that hold a whole book: M4B, Opus, or one MP3 with chapter marks, made of its chapters.

The chapters are finished MP3 files, so this needs no cache and no plan. An MP3 is joined of their
frames, the others are encoded, several chapters at once. Each file is opened again and compared
with what it should be before it gets its name. Encoded chapters are kept beside the spoken chunks:
where one chapter of a book has changed, only that one is encoded again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from threading import Lock

from tts_book import audio
from tts_book.audio import containers, file_tags, mp3_files
from tts_book.audio.containers import AAC, OPUS, Codec
from tts_book.audio.file_tags import Level, Tags, owner_of, probe_m4b, tag_m4b, tag_opus
from tts_book.errors import AudioError
from tts_book.model import ChapterMark
from tts_book.output.paths import LONGEST_MS, WHOLE, WHOLE_MP3
from tts_book.synthesis import atomic

_NEAR_MS = 60  # what a container may round

Progress = Callable[[int, int], None]
"""Told how many ms of how many are done."""


@dataclass(frozen=True, slots=True)
class BoundChapter:
    """A chapter to bind: its MP3 of `frames` frames that end the file, and what louder it should
    be than it is there, where it is encoded anyway."""

    title: str
    path: Path
    frames: int
    duration_ms: int
    gain_db: float = 0.0


@dataclass(frozen=True, slots=True)
class Volume:
    """A written file: whose chapters begin where."""

    path: Path
    duration_ms: int
    chapters: tuple[ChapterMark, ...]


def split_volumes(
    kind: str,
    chapters: Sequence[BoundChapter],
    target: Path,
    longest_ms: int = LONGEST_MS,
) -> list[tuple[Path, list[BoundChapter]]]:
    """Which chapters go into which file: all into one, unless that would be too long for it."""
    groups: list[list[BoundChapter]] = [[]]
    length_ms = 0
    for chapter in chapters:
        length_ms += chapter.duration_ms
        if length_ms > longest_ms and groups[-1] and kind != WHOLE_MP3:
            groups.append([])
            length_ms = chapter.duration_ms
        groups[-1].append(chapter)
    if len(groups) == 1:
        return [(target, groups[0])]
    width = len(str(len(groups)))
    return [
        (target.with_name(f"{target.stem}, part {number:0{width}}{target.suffix}"), group)
        for number, group in enumerate(groups, 1)
    ]


class _ProgressMeter:
    """Tells how far the threads that encode a file are, once in a hundredth of it."""

    def __init__(self, chapters: Sequence[BoundChapter], progress: Progress) -> None:
        self.all_ms = max(1, sum(chapter.duration_ms for chapter in chapters))
        self._progress, self._lock = progress, Lock()
        self._done_ms, self._told = 0, -1
        self.passed(0)

    def passed(self, ms: int) -> None:
        """Reports that so much more is done, from any thread."""
        with self._lock:
            self._done_ms = min(self._done_ms + ms, self.all_ms)
            if (hundredths := 100 * self._done_ms // self.all_ms) > self._told:
                self._told = hundredths
                self._progress(self._done_ms, self.all_ms)


def write_volume(
    kind: str,
    chapters: Sequence[BoundChapter],
    target: Path,
    about: Tags,
    *,
    level: Level | None = None,
    cores: int = 1,
    progress: Progress = lambda done_ms, all_ms: None,
    encoded: EncodedChapters | None = None,
) -> Volume:
    """Writes one file of these chapters. `progress` is told, by any thread, how much of its sound
    is encoded; chapters in `encoded` need not be. Raises AudioError, and UserError where the disk
    does not take it."""
    with atomic.replace_file(target) as part:
        if kind == WHOLE_MP3:
            marks = _join_mp3(chapters, part, about, level)
        else:
            meter = _ProgressMeter(chapters, progress)
            encode = partial(_encode, _KINDS[kind].codec, encoded, meter)
            marks = _encode_chapters(_KINDS[kind], chapters, part, about, level, cores, encode)
            meter.passed(meter.all_ms)
        _check_file(part, marks, about)
    return Volume(target, marks[-1].stop_ms, marks)


# One MP3 ------------------------------------------------------------------------------------------


def _join_mp3(
    chapters: Sequence[BoundChapter], part: Path, about: Tags, level: Level | None
) -> tuple[ChapterMark, ...]:
    with part.open("wb") as file:
        form = mp3_files.read_format(chapters[0].path, chapters[0].frames)
        frame_ms = form.samples * 1_000 / form.rate_hz
        marks = _make_marks(chapters)
        frames = sum(chapter.frames for chapter in chapters)
        file.write(file_tags.render_id3(about, round(frames * frame_ms), level, marks))
        file.write(audio.info_frame(form, frames))
        for chapter in chapters:
            own = mp3_files.read_format(chapter.path, chapter.frames)
            if own.frame_bytes != form.frame_bytes:
                raise AudioError(f"{chapter.path.name} has frames of another kind.")
            for block in mp3_files.read_end(chapter.path, chapter.frames * form.frame_bytes):
                file.write(block)
    return marks


# Encoded ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    codec: Codec
    tag: Callable[[Path, Tags, Sequence[ChapterMark], Level | None], None]


_KINDS = {
    "m4b": _Kind(AAC, lambda path, about, marks, level: tag_m4b(path, about)),
    "opus": _Kind(OPUS, tag_opus),
}


def _encode_chapters(
    kind: _Kind,
    chapters: Sequence[BoundChapter],
    part: Path,
    about: Tags,
    level: Level | None,
    cores: int,
    encode: Callable[[BoundChapter, Path], None],
) -> tuple[ChapterMark, ...]:
    codec = kind.codec
    raw = [part.with_name(f"{number}.part") for number in range(len(chapters))]
    with ThreadPoolExecutor(cores) as pool:
        deque(pool.map(encode, chapters, raw), maxlen=0)
    marks = _make_marks(chapters)
    # The file ends with the sound of its MP3, from whose start a player takes off the delay; the
    # packets that hold an encoder's own delay come before it.
    delay_ms = codec.delay / codec.packet * codec.packet_ms
    end_ms = marks[-1].stop_ms - audio.DELAY_MS + delay_ms + codec.packet_ms / 2  # rounded up
    edges = [codec.count_packets(mark.start_ms) for mark in marks]
    edges.append(codec.count_packets(end_ms))
    counts = (stop - start for start, stop in pairwise(edges))
    told = marks if len(marks) > 1 else ()
    language = file_tags.three_letters(about.language)
    containers.bind(list(zip(raw, counts, strict=True)), part, codec, told, language)
    for path in raw:
        path.unlink()
    kind.tag(part, about, told, level)
    return marks


def _encode(
    codec: Codec,
    kept: EncodedChapters | None,
    meter: _ProgressMeter,
    chapter: BoundChapter,
    target: Path,
) -> None:
    """Encodes a chapter, unless it is kept from an earlier run."""
    if kept is None:
        containers.encode_file(chapter.path, target, codec, chapter.gain_db, meter.passed)
        return
    key = kept.find_key(chapter.path, chapter.frames, codec, chapter.gain_db)
    if kept.take(key, target):
        meter.passed(chapter.duration_ms)
        return
    containers.encode_file(chapter.path, target, codec, chapter.gain_db, meter.passed)
    kept.keep(key, target)


def _make_marks(chapters: Sequence[BoundChapter]) -> tuple[ChapterMark, ...]:
    """Where the chapters begin, in every format alike."""
    form = mp3_files.read_format(chapters[0].path, chapters[0].frames)
    frame_ms = form.samples * 1_000 / form.rate_hz
    frames = accumulate((chapter.frames for chapter in chapters), initial=0)
    edges = [round(count * frame_ms) for count in frames]
    return tuple(
        ChapterMark(file_tags.clean_tag(chapter.title), start, stop)
        for chapter, (start, stop) in zip(chapters, pairwise(edges), strict=True)
    )


def _check_file(part: Path, marks: Sequence[ChapterMark], about: Tags) -> None:
    """Compares a finished file with what it should be. Raises AudioError."""
    found = probe_m4b(part) if part.suffix == WHOLE["m4b"] else None
    found = found or containers.probe(part)
    if abs(found.duration_ms - marks[-1].stop_ms) > _NEAR_MS:
        raise AudioError(
            f"{part.name} came out with {found.duration_ms} ms instead of {marks[-1].stop_ms}."
        )
    told = [chapter.title for chapter in found.chapters]
    if len(marks) > 1 and told != [mark.title for mark in marks]:
        raise AudioError(f"{part.name} came out with {len(told)} of {len(marks)} chapter marks.")
    if (owner_of(part) or "") != file_tags.clean_tag(about.owner):
        raise AudioError(f"{part.name} came out without its tags.")


# Chapters that are kept encoded -------------------------------------------------------------------

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
