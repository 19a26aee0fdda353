"""Converts a text from Python: the same way that the command line goes.

    python examples/convert_book.py examples/mayak.ru.txt out silent

The backend `silent` rehearses a book in seconds; leave it out to have it spoken.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tts_book
from tts_book.events import ChapterDone, ChunkDone, ChunkFailed, Event


class Listener:
    """Any callable that takes an event: this one counts characters, the honest unit of progress."""

    def __init__(self, characters: int) -> None:
        self._characters, self._done = characters, 0

    def __call__(self, event: Event) -> None:
        match event:
            case ChunkDone(characters=characters):
                self._done += characters
                print(f"{self._done / self._characters:4.0%}")
            case ChunkFailed(place=place, reason=reason):
                print(f"not spoken: {place}: {reason}")
            case ChapterDone(path=path, duration_ms=duration_ms):
                print(f"{path}: {duration_ms / 1000:.1f} s")


def convert(source: Path, output: Path, backend: str = "auto") -> tts_book.Result:
    """Reads a book, shows what will be done, and does it."""
    book = tts_book.read(source)
    plan = tts_book.plan(book, output=output, backend=backend)
    print(f"{book.title}: {len(plan.chapters)} chapters, voice {plan.voice.name} ({plan.why})")
    print(f"{len(plan.new)} of {len(plan.chunks)} chunks are new")
    listener = Listener(plan.characters)
    return tts_book.convert(book, output=output, backend=backend, listener=listener)


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        print("usage: python examples/convert_book.py TEXT FOLDER [BACKEND]", file=sys.stderr)
        sys.exit(2)
    try:
        result = convert(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4])
    except tts_book.TtsBookError as error:
        sys.exit(str(error))
    sys.exit(f"not written: {result.lost}" if result.lost else 0)
