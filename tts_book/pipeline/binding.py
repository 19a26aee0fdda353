"""The files that hold a whole book, made and told: how they grow, what each holds, what is lost."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from tts_book import events
from tts_book.errors import AudioError
from tts_book.events import Listener
from tts_book.output.whole_book import Volume
from tts_book.pipeline import event_builders as telling
from tts_book.pipeline.book_writer import Bindery
from tts_book.pipeline.planning import Prepared
from tts_book.pipeline.recording import Records
from tts_book.pipeline.threads import to_the_end


class _Stopped(Exception):
    """Ends the threads that encode a file."""


class Binding:
    """Has whole-book files made, told and taken down. `bound` are those that were written, by the
    book's first target."""

    def __init__(self, bindery: Bindery, tell: Listener, records: Records) -> None:
        self._bindery, self._tell, self._records = bindery, tell, records
        self.bound: dict[Path, list[Path]] = {}

    async def bind(self, item: Prepared) -> bool:
        """Makes the files of a book and puts its facts beside them; whether nothing is missing."""
        volumes: list[Volume] = []
        missing, lost = self._bindery.missing(item), False
        for kind, path in item.layout.whole:
            try:
                if missing:
                    raise AudioError(f"its chapters {', '.join(map(str, missing))} are not there")
                volumes = await self._whole(item, kind, path)
            except AudioError as error:
                self._tell(events.BookLost(item.work.book.title, str(path), str(error)))
                lost = True
            else:
                self._note(item, volumes)
        if not missing:
            await to_the_end(self._bindery.shelve, item, volumes)
        return not (missing or lost)

    def _note(self, item: Prepared, volumes: list[Volume]) -> None:
        numbers = iter(self._bindery.numbers(item))
        for made in volumes:
            self._records.volume(item, made, [next(numbers) for _ in made.chapters])
            self.bound.setdefault(item.layout.targets[0], []).append(made.path)
            self._tell(telling.book_done(item, made))

    async def _whole(self, item: Prepared, kind: str, path: Path) -> list[Volume]:
        """One of a book's whole files, made in other threads; how it grows is told in ours."""
        loop, stopped = asyncio.get_running_loop(), threading.Event()
        growth: asyncio.Queue[events.BookProgressed | None] = asyncio.Queue()

        def grows(path: Path, done_ms: int, all_ms: int) -> None:
            if stopped.is_set():
                raise _Stopped
            event = events.BookProgressed(item.work.book.title, str(path), done_ms, all_ms)
            loop.call_soon_threadsafe(growth.put_nowait, event)

        work = asyncio.create_task(asyncio.to_thread(self._bindery.bind, item, kind, path, grows))
        work.add_done_callback(lambda _: growth.put_nowait(None))
        try:
            while event := await growth.get():
                self._tell(event)
            return await work
        finally:
            stopped.set()
            await asyncio.gather(work, return_exceptions=True)
