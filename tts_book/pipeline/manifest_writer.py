"""What a run leaves beside its output: enough to explain every second, never needed to resume.
`output.manifest` says what is in it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tts_book import __version__
from tts_book.audio import DELAY_MS
from tts_book.events import Event, as_dict
from tts_book.model import Book, Chunk, Origin, Pauses
from tts_book.output.captions import FORMATS, caption_paths
from tts_book.output.manifest import (
    HIDDEN_FOLDER,
    book_folder,
    describe_contents,
    findings_path,
    manifest_path,
    place_manifest,
    read_file_states,
    read_kinds,
)
from tts_book.output.stitcher import StitchedChapter
from tts_book.output.whole_book import Volume
from tts_book.pipeline.casting import role_name
from tts_book.pipeline.earlier_files import find_own_captions
from tts_book.pipeline.jobs import BookJob, ChapterJob
from tts_book.synthesis import atomic

_BLOCK_BYTES = 8_192
_SHOWN_CHARACTERS = 200  # of what is not read aloud


class ManifestWriter:
    """Writes the manifest of one book while it is converted; it appears at the end, whole. A book
    that shall have none gets none."""

    def __init__(
        self, job: BookJob, pauses: Pauses, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._job, self._clock, self._began_s = job, clock, clock()
        self._earlier = manifest_path(job.layout)
        self.path = place_manifest(self._earlier, job.request.records)
        self._folder = book_folder(self.path)
        self._files: set[str] = set()
        self._kept: dict[str, list[ChapterJob]] = {}
        self._made: dict[str, dict[str, Any]] = {}
        self._volumes: dict[str, dict[str, Any]] = {}
        self._whole: tuple[Path, ...] = ()
        self._contents: dict[str, dict[str, Any]] = {}
        self._captions = find_own_captions(job)
        self._waiting = bytearray()
        self._size_bytes = 0
        self._part = self._begin() if job.request.recorded else None
        self._line("run", _describe_run(job, pauses) | self._ways())
        if skips := list(_list_skips(job.request.book)):
            self._line("skips", {"all": skips})

    def _begin(self) -> Path:
        with atomic.report_failure(self.path):
            if self.path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self.path.parent.mkdir(exist_ok=True)
            with atomic.open_part(self.path.parent) as part:
                return Path(part.name)

    def add_event(self, event: Event) -> None:
        """Adds an event."""
        at_s = round(self._clock() - self._began_s, 3)
        self._line("event", {"at_s": at_s, **as_dict(event)})

    def add_chapter(self, chapter: ChapterJob, stitched: StitchedChapter) -> None:
        """Adds how a chapter's file is made."""
        self._files.add(stitched.path.name)
        self._line("chapter", _describe_chapter(chapter, stitched))

    def keep_chapter(self, chapter: ChapterJob, file: Path) -> None:
        """Notes that a chapter keeps the sound of an earlier run's `file`, which may be its own.
        Its text may be at another place now."""
        self._kept.setdefault(file.name, []).append(chapter)
        self._files.add(chapter.target.name)

    def add_volume(self, volume: Volume, numbers: Sequence[int]) -> None:
        """Adds which chapters a whole-book file holds."""
        marks = zip(numbers, volume.chapters, strict=True)
        self._volumes[self._way(volume.path)] = {
            "file": self._way(volume.path),
            "duration_ms": volume.duration_ms,
            "chapters": [[number, mark.start_ms, mark.stop_ms] for number, mark in marks],
        }

    def add_file(self, made: dict[str, Any]) -> None:
        """Adds what a chapter's file is in the end."""
        self._made[made["file"]] = made

    def finish_book(self, files: tuple[Path, ...]) -> None:
        """Nothing is missing: these files are all that was asked for."""
        self._whole = files

    def close(self) -> None:
        """Gives the manifest its name; leaves nothing where that fails."""
        if self._part is None:
            return
        try:
            with atomic.report_failure(self.path):
                self._copy_earlier()
                for chapter in self._job.asked_chapters:
                    if chapter.chunks and chapter.target.name not in self._files:
                        self._line("unwritten", _describe_planned(chapter))
                for kind, now in (("made", self._made), ("volume", self._volumes)):
                    for line in now.values():
                        self._line(kind, line)
                for contents in self._describe_contents():
                    self._line("contents", contents)
                if captions := [path for path in self._captions if path.exists()]:
                    self._line("captions", {"files": read_file_states(captions)})
                if self._whole and self._job.request.fingerprint:
                    files = read_file_states(self._whole)
                    self._line("whole", {"asked": self._job.request.fingerprint, "files": files})
                self._put_down()
                atomic.name_part(self._part, self.path)
                self._remove_earlier()
        finally:
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)

    def _remove_earlier(self) -> None:
        """Removes the manifest from where it was before; what was heard of the book comes along."""
        if self._earlier == self.path or not self._earlier.exists():
            return
        findings = findings_path(self._earlier)
        if findings.exists():
            findings.replace(findings_path(self.path))
        self._earlier.unlink()
        if self._earlier.parent.name == HIDDEN_FOLDER:
            with contextlib.suppress(OSError):  # it holds those of other books
                self._earlier.parent.rmdir()

    def _copy_earlier(self) -> None:
        """Copies what earlier runs said about files that are still there and that this one did not
        make, and about chapters that keep the sound of theirs."""
        now: dict[str, Container[str]] = {
            "chapter": self._files,
            "made": self._made,
            "volume": self._volumes,
            "contents": {*self._made, *self._volumes},
        }
        for kind, old in read_kinds(self._earlier, *now):
            file = str(old.get("file"))
            if kind == "contents":
                self._contents[file] = old
            for chapter in self._kept.get(file, ()) if kind == "chapter" else ():
                self._line(kind, _describe_moved(chapter, old))
            if file not in now[kind] and not self._job.excerpt and self._is_there(file):
                self._line(kind, old)

    def _describe_contents(self) -> Iterator[dict[str, Any]]:
        """What the files of this run hold. A file that is as an earlier run left it is described
        as that run found it."""
        for file in (*self._made, *self._volumes):
            path = Path(os.path.normpath(self._folder / file))
            if not path.exists():
                continue
            named = self._made.get(file, {}).get("files", ())
            captions = [
                each
                for each in caption_paths(path, tuple(FORMATS))
                if each.exists() and (each.name in named or each in self._whole)
            ]
            states = read_file_states((path, *captions))
            state = {Path(name).name: each for name, each in states.items()}
            old = self._contents.get(file)
            if old is None or old["state"] != state:
                old = {"file": file, "state": state, **describe_contents(path, captions)}
            yield old

    def _is_there(self, file: str) -> bool:
        """Whether a file exists, or is one of those that exist only on the way."""
        layout = self._job.layout
        aside = not layout.keeps_chapters and file in (path.name for path in layout.targets)
        return aside or (self._folder / file).exists()

    def _ways(self) -> dict[str, str]:
        """How the source and the command's folder are found again after all was moved together."""
        places = {"way": self._job.request.source, "home": self._job.request.cwd}
        folder = self._folder.resolve()
        return {
            name: _relative_way(path.resolve(), folder) if path else ""
            for name, path in places.items()
        }

    def _way(self, path: Path) -> str:
        return _relative_way(path, self._folder)

    def _line(self, kind: str, value: dict[str, Any]) -> None:
        if self._part is None:
            return
        line = json.dumps({kind: value}, ensure_ascii=False) + "\n"
        self._waiting += line.encode("utf-8", "surrogatepass")
        if len(self._waiting) > _BLOCK_BYTES:
            self._put_down()

    def _put_down(self) -> None:
        assert self._part is not None  # or there would be no lines
        # Open only for a moment: a run may have more books than a process may have open files.
        with atomic.report_failure(self.path), self._part.open("r+b") as file:
            file.seek(self._size_bytes)
            file.write(self._waiting)
        self._size_bytes += len(self._waiting)
        self._waiting.clear()


def _relative_way(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


def _describe_run(job: BookJob, pauses: Pauses) -> dict[str, Any]:
    work, cast = job.request, job.cast
    return {
        "tts_book": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "title": work.book.title,
        "author": work.book.author,
        "language": work.book.language,
        "source": str(work.source.resolve()) if work.source else "",
        "command": work.command,
        "cwd": str(work.cwd or ""),
        "cache": str(work.cache or ""),
        "excerpt": job.excerpt,
        "voice": cast.voice.as_record(),
        "backend": cast.backend.name,
        "fingerprint": cast.backend.fingerprint(cast.voice),
        "why": cast.why,
        "pauses": asdict(pauses),
        "notices": [*work.book.notices, *work.book.missing],
    }


def _describe_planned(chapter: ChapterJob) -> dict[str, Any]:
    return {
        "number": chapter.chapter.number,
        "title": chapter.chapter.title,
        "file": chapter.target.name,
        "chunks": list(_describe_chunks(chapter)),
    }


def _describe_chapter(chapter: ChapterJob, stitched: StitchedChapter) -> dict[str, Any]:
    frame_ms = stitched.duration_ms / stitched.frames
    return {
        "number": chapter.chapter.number,
        "title": chapter.chapter.title,
        "file": stitched.path.name,
        "duration_ms": stitched.duration_ms,
        "voice": chapter.job.cast.voice.name,
        "backend": chapter.job.cast.backend.name,
        "chunks": list(_describe_chunks(chapter)),
        "unpaused": [
            [chapter.chunks[number].number, offset] for number, offset in stitched.timeline.unpaused
        ],
        "pieces": [
            [
                chapter.chunks[piece.segment].number,
                # Players that read the file's header take the delay off; a chunk's own sound has
                # no header, nor have its marks.
                round(at * frame_ms) - DELAY_MS,
                round(piece.start * frame_ms),
                round((piece.stop - piece.start) * frame_ms),
            ]
            for piece, at in stitched.timeline.heard()
        ],
    }


def _describe_moved(chapter: ChapterJob, old: dict[str, Any]) -> dict[str, Any]:
    """A chapter's line, for the same sound of a text that may be at another place now."""
    return {**old, **_describe_planned(chapter)}


def _describe_chunks(chapter: ChapterJob) -> Iterator[dict[str, Any]]:
    for chunk, key in zip(chapter.chunks, chapter.keys, strict=True):
        yield {
            "number": chunk.number,
            "key": key,
            "start": chunk.start,
            "stop": chunk.stop,
            "places": list(_list_places(chapter.chapter.origin, chunk)),
            "after": chunk.after.value,
            "text": chunk.text,
            "spoken": chunk.spoken if chunk.spoken != chunk.text else None,
            **({"alignment": chunk.alignment} if chunk.alignment else {}),
            **_describe_reader(chapter, chunk),
        }


def _describe_reader(chapter: ChapterJob, chunk: Chunk) -> dict[str, str]:
    """Who reads a chunk that is not the narrator's."""
    if not chunk.role:
        return {}
    reader = chapter.job.reader_of(chunk)
    return {
        "role": role_name(chunk.role),
        "voice": reader.voice.name,
        "backend": reader.backend.name,
    }


def _list_places(origin: Origin, chunk: Chunk) -> Iterator[list[int | str]]:
    """Where a chunk's text is in the source: its start, and every place where it jumps."""
    first = bisect_right(origin.runs, chunk.start, key=lambda run: run.start)
    last = bisect_left(origin.runs, chunk.stop, key=lambda run: run.start)
    starts = [run.start for run in origin.runs[first:last]]
    for start in (chunk.start, *starts):
        place = origin.place(start)
        yield [start - chunk.start, place.line, place.column, place.label or place.source]


def _list_skips(book: Book) -> Iterator[list[int | str]]:
    """What is not read aloud: chapter (0: none), line, column, name or label, reason, beginning."""
    for chapter in book.chapters:
        everywhere = book.skips if chapter is book.chapters[0] else ()
        for number, skips in ((0, everywhere), (chapter.number, chapter.skips)):
            for skip in skips:
                place = chapter.origin.source.place(skip.start)
                name = place.label or place.source
                text = " ".join(skip.text.split())[:_SHOWN_CHARACTERS]
                yield [number, place.line, place.column, name, skip.reason, text]


class ManifestWriters:
    """The manifests of a run's books."""

    def __init__(self) -> None:
        self._by_book: dict[int, ManifestWriter] = {}

    def begin(self, job: BookJob, pauses: Pauses) -> ManifestWriter:
        """A new one. Raises UserError where it cannot be written."""
        return self._by_book.setdefault(job.number, ManifestWriter(job, pauses))

    def of(self, job: BookJob) -> ManifestWriter:
        """That of a book, whichever voice reads it."""
        return self._by_book[job.number]

    def add_event(self, event: Event) -> None:
        """Adds an event of a book to its manifest, one of the run as a whole to all."""
        book = getattr(event, "book_id", None)
        for number, manifest in self._by_book.items():
            if book in (None, number):
                manifest.add_event(event)


@contextlib.contextmanager
def open_manifests(jobs: Sequence[BookJob], pauses: Pauses) -> Iterator[ManifestWriters]:
    """The manifests of these books. They get their names when the block ends, also by an error:
    what is known of a run that failed is worth most. Raises UserError where one cannot be
    written."""
    manifests = ManifestWriters()
    with contextlib.ExitStack() as closing:
        for job in jobs:
            closing.callback(manifests.begin(job, pauses).close)
        yield manifests
