"""What a run leaves beside its output: enough to explain every second, never needed to resume.
`records` tells what stands in it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tts_book import __version__
from tts_book.audio import DELAY_MS
from tts_book.events import Event, as_dict
from tts_book.model import Chunk, Origin, Pauses
from tts_book.output import atomic as parts
from tts_book.output import unchanged
from tts_book.output.manifest import path_of, told
from tts_book.output.stitcher import Stitched
from tts_book.output.whole_book import Volume
from tts_book.pipeline import ownership as captions_owned
from tts_book.pipeline.chapter_job import Open, open_chapters
from tts_book.pipeline.planning import Prepared

_BLOCK_BYTES = 8_192


class Record:
    """Writes the record of one book while it is converted; it appears at the end, whole."""

    def __init__(
        self, item: Prepared, pauses: Pauses, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._item, self._clock, self._began_s = item, clock, clock()
        self.path = path_of(item)
        self._files: set[str] = set()
        self._kept: dict[str, list[Open]] = {}
        self._made: dict[str, dict[str, Any]] = {}
        self._volumes: dict[str, dict[str, Any]] = {}
        self._whole: tuple[Path, ...] = ()
        self._captions = captions_owned.ours(item)
        self._waiting = bytearray()
        self._size_bytes = 0
        with _told(self.path):
            if self.path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            with parts.begin(self.path.parent) as part:
                self._part = Path(part.name)
        self._line("run", _run(item, pauses) | self._ways())

    def event(self, event: Event) -> None:
        """Takes down an event."""
        at_s = round(self._clock() - self._began_s, 3)
        self._line("event", {"at_s": at_s, **as_dict(event)})

    def chapter(self, chapter: Open, stitched: Stitched) -> None:
        """Takes down how a chapter's file is made."""
        self._files.add(stitched.path.name)
        self._line("chapter", _chapter(chapter, stitched))

    def kept(self, chapter: Open, file: Path) -> None:
        """Takes down that a chapter has the sound of an earlier run's `file`, which may be its own.
        Its text may stand elsewhere now."""
        self._kept.setdefault(file.name, []).append(chapter)
        self._files.add(chapter.target.name)

    def volume(self, volume: Volume, numbers: Sequence[int]) -> None:
        """Takes down which chapters a whole-book file holds."""
        marks = zip(numbers, volume.chapters, strict=True)
        self._volumes[self._way(volume.path)] = {
            "file": self._way(volume.path),
            "duration_ms": volume.duration_ms,
            "chapters": [[number, mark.start_ms, mark.stop_ms] for number, mark in marks],
        }

    def made(self, made: dict[str, Any]) -> None:
        """Takes down what a chapter's file is in the end."""
        self._made[made["file"]] = made

    def whole(self, files: tuple[Path, ...]) -> None:
        """Nothing is missing: these files are all that was asked for."""
        self._whole = files

    def close(self) -> None:
        """Gives the record its name; leaves nothing where that fails."""
        try:
            with _told(self.path):
                for old in told(self.path, "chapter"):
                    for chapter in self._kept.get(str(old.get("file")), ()):
                        self._line("chapter", _moved(chapter, old))
                for old in self._still_there("chapter", self._files):
                    self._line("chapter", old)
                for chapter in open_chapters(self._item):
                    if chapter.chunks and chapter.target.name not in self._files:
                        self._line("unwritten", _planned(chapter))
                for kind, now in (("made", self._made), ("volume", self._volumes)):
                    for line in (*self._still_there(kind, now), *now.values()):
                        self._line(kind, line)
                if captions := [path for path in self._captions if path.exists()]:
                    self._line("captions", {"files": unchanged.state(captions)})
                if self._whole and self._item.work.asked:
                    files = unchanged.state(self._whole)
                    self._line("whole", {"asked": self._item.work.asked, "files": files})
                self._put_down()
                parts.finish(self._part, self.path)
        finally:
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)

    def _still_there(self, kind: str, now: Container[str]) -> Iterator[dict[str, Any]]:
        """What earlier runs told of files that this one did not make."""
        places = self._item.layout
        aside = () if places.keeps_chapters else {target.name for target in places.targets}
        for old in told(self.path, kind):
            file = str(old.get("file"))
            there = file in aside or (self.path.parent / file).exists()
            if file not in now and there and not self._item.excerpt:
                yield old

    def _ways(self) -> dict[str, str]:
        """How the source and the command's folder are found again after all was moved together."""
        places = {"way": self._item.work.source, "home": self._item.work.cwd}
        folder = self.path.parent.resolve()
        return {name: _way(path.resolve(), folder) if path else "" for name, path in places.items()}

    def _way(self, path: Path) -> str:
        return _way(path, self.path.parent)

    def _line(self, kind: str, value: dict[str, Any]) -> None:
        line = json.dumps({kind: value}, ensure_ascii=False) + "\n"
        self._waiting += line.encode("utf-8", "surrogatepass")
        if len(self._waiting) > _BLOCK_BYTES:
            self._put_down()

    def _put_down(self) -> None:
        # Open only for a moment: a run may have more books than a process may have open files.
        with _told(self.path), self._part.open("r+b") as file:
            file.seek(self._size_bytes)
            file.write(self._waiting)
        self._size_bytes += len(self._waiting)
        self._waiting.clear()


def _way(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise parts.refusal(error, path) from error


def _run(item: Prepared, pauses: Pauses) -> dict[str, Any]:
    work, cast = item.work, item.cast
    return {
        "tts_book": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "title": work.book.title,
        "language": work.book.language,
        "source": str(work.source.resolve()) if work.source else "",
        "command": work.command,
        "cwd": str(work.cwd or ""),
        "cache": str(work.cache or ""),
        "excerpt": item.excerpt,
        "voice": asdict(cast.voice),
        "backend": cast.backend.name,
        "fingerprint": cast.backend.fingerprint(cast.voice),
        "why": cast.why,
        "pauses": asdict(pauses),
        "notices": list(work.book.notices),
    }


def _planned(chapter: Open) -> dict[str, Any]:
    return {
        "number": chapter.chapter.number,
        "title": chapter.chapter.title,
        "file": chapter.target.name,
        "chunks": list(_chunks(chapter)),
    }


def _chapter(chapter: Open, stitched: Stitched) -> dict[str, Any]:
    frame_ms = stitched.duration_ms / stitched.frames
    return {
        "number": chapter.chapter.number,
        "title": chapter.chapter.title,
        "file": stitched.path.name,
        "duration_ms": stitched.duration_ms,
        "voice": chapter.item.cast.voice.name,
        "backend": chapter.item.cast.backend.name,
        "chunks": list(_chunks(chapter)),
        "pieces": [
            [
                chapter.chunks[piece.segment].number,
                # Players that read the file's header take the delay off; a chunk's own sound has
                # no header, nor have its marks.
                round(at * frame_ms) - DELAY_MS,
                round(piece.start * frame_ms),
                round((piece.stop - piece.start) * frame_ms),
            ]
            for piece, at in stitched.score.heard()
        ],
    }


def _moved(chapter: Open, old: dict[str, Any]) -> dict[str, Any]:
    """A chapter's line, for the same sound of a text that may stand elsewhere now."""
    return {**old, **_planned(chapter)}


def _chunks(chapter: Open) -> Iterator[dict[str, Any]]:
    for at, chunk in enumerate(chapter.chunks):
        yield {
            "number": chunk.number,
            "key": chapter.item.keys[chapter.first + at],
            "start": chunk.start,
            "stop": chunk.stop,
            "places": list(_places(chapter.chapter.origin, chunk)),
            "after": chunk.after.value,
            "text": chunk.text,
            "spoken": chunk.spoken if chunk.spoken != chunk.text else None,
            **({"alignment": chunk.alignment} if chunk.alignment else {}),
        }


def _places(origin: Origin, chunk: Chunk) -> Iterator[list[int | str]]:
    """Where a chunk's text stands in the source: its start, and every place where it jumps."""
    first = bisect_right(origin.runs, chunk.start, key=lambda run: run.start)
    last = bisect_left(origin.runs, chunk.stop, key=lambda run: run.start)
    starts = [run.start for run in origin.runs[first:last]]
    for start in (chunk.start, *starts):
        place = origin.place(start)
        yield [start - chunk.start, place.line, place.column, place.label or place.source]


class Records:
    """The records of those books of a run that shall have one."""

    def __init__(self) -> None:
        self._by_work: dict[int, Record] = {}
        self._by_title: defaultdict[str, list[Record]] = defaultdict(list)

    def begin(self, item: Prepared, pauses: Pauses) -> Record:
        """A new one. Raises UserError where it cannot be written."""
        record = Record(item, pauses)
        self._by_work[id(item.work)] = record
        self._by_title[item.work.book.title].append(record)
        return record

    def _of(self, item: Prepared) -> Iterator[Record]:
        # A fallback voice changes the item, not the work.
        if record := self._by_work.get(id(item.work)):
            yield record

    def listen(self, event: Event) -> None:
        """Takes down an event of a book in its record, one of the run as a whole in all."""
        title = getattr(event, "book", None)
        for record in self._by_work.values() if title is None else self._by_title.get(title, ()):
            record.event(event)

    def chapter(self, chapter: Open, stitched: Stitched) -> None:
        """Takes down how a chapter's file is made."""
        for record in self._of(chapter.item):
            record.chapter(chapter, stitched)

    def kept(self, chapter: Open, file: Path) -> None:
        """Takes down that a chapter has the sound of an earlier run's `file`, which may be its own.
        Its text may stand elsewhere now."""
        for record in self._of(chapter.item):
            record.kept(chapter, file)

    def volume(self, item: Prepared, volume: Volume, numbers: Sequence[int]) -> None:
        """Takes down which chapters a whole-book file holds."""
        for record in self._of(item):
            record.volume(volume, numbers)

    def made(self, item: Prepared, made: dict[str, Any]) -> None:
        """Takes down what a chapter's file is in the end."""
        for record in self._of(item):
            record.made(made)

    def whole(self, item: Prepared, files: tuple[Path, ...]) -> None:
        """Takes down that nothing is missing of a book: these files are all that it becomes."""
        for record in self._of(item):
            record.whole(files)


@contextlib.contextmanager
def recording(prepared: Sequence[Prepared], pauses: Pauses) -> Iterator[Records]:
    """The records of these books. They get their names when the block ends, also by an error: what
    is known of a run that failed is worth most. Raises UserError where they cannot be written."""
    records = Records()
    with contextlib.ExitStack() as closing:
        for item in prepared:
            if item.work.recorded:
                closing.callback(records.begin(item, pauses).close)
        yield records
