"""The records of a run: what happens is taken down in that of the book it belongs to."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tts_book.events import Event
from tts_book.model import Pauses
from tts_book.output.stitcher import Stitched
from tts_book.output.whole_book import Volume
from tts_book.pipeline.chapter_job import Open
from tts_book.pipeline.manifest_writer import Record
from tts_book.pipeline.planning import Prepared


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
