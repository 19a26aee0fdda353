"""Converts a text from Python: the same way that the command line goes.

    python examples/convert_book.py examples/mayak.ru.txt out/

The silent backend rehearses a book in seconds; leave `backend` out to have it spoken.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tts_book import job, readers, voices
from tts_book.backends import Engines, Settings
from tts_book.cache import Cache
from tts_book.casting import Casting, Wish
from tts_book.events import ChapterDone, Event


def tell(event: Event) -> None:
    """A listener: any callable that takes an event."""
    if isinstance(event, ChapterDone):
        sys.stdout.write(f"{event.path}: {event.duration_ms / 1000:.1f} s\n")


async def convert(source: Path, out: Path) -> job.Result:
    """Reads, plans, casts, speaks and stitches one book into the folder `out`."""
    book = readers.read(source, readers.ReadOptions())
    config = voices.load(None, cwd=Path.cwd(), config_dir=Path.cwd())
    engines, cache = Engines(Settings()), Cache(out / "cache")
    try:
        prepared = await job.prepare(
            [job.Work(book, source.stem, source)],
            Casting(config, engines),
            Wish(backend="silent"),
            cache,
            job.Output(cwd=Path.cwd(), out=out),
        )
        job.ready_to_write(prepared, force=False)
        return await job.convert(prepared, config.pauses, cache, tell)
    finally:
        await engines.close()


if __name__ == "__main__":
    asyncio.run(convert(Path(sys.argv[1]), Path(sys.argv[2])))
