"""Events as plain lines, for people, and as JSON, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO

from tts_book import events
from tts_book.events import Event, Listener, describe_event


def write_json_lines(out: IO[str]) -> Listener:
    """A listener that writes one event a line to `out`, flushed, so that a program can follow."""

    def listen(event: Event) -> None:
        out.write(json.dumps(events.as_dict(event), ensure_ascii=False) + "\n")
        out.flush()

    return listen


class EventLines:
    """Events as plain lines. Chunks that were given up together with the run have no line each:
    their chapter's line says where they are."""

    def __init__(self) -> None:
        self._given_up: dict[tuple[int, int], list[events.ChunkFailed]] = {}

    def __call__(self, event: Event) -> str | None:
        """The line for this event, None for those that say nothing by themselves."""
        match event:
            case events.ChunkFailed(given_up=True):
                self._given_up.setdefault((event.book_id, event.chapter), []).append(event)
                return None
            case events.ChapterLost() | events.VoiceChanged():
                return f"{describe_event(event)}{self._where(event)}"
            case _:
                return describe_event(event)

    def _where(self, event: events.ChapterLost | events.VoiceChanged) -> str:
        here = sorted(
            self._given_up.pop((event.book_id, event.chapter), ()), key=lambda failed: failed.chunk
        )
        rows: list[list[events.ChunkFailed]] = []
        for failed in here:
            if rows and rows[-1][-1].chunk + 1 == failed.chunk:
                rows[-1].append(failed)
            else:
                rows.append([failed])
        return "".join(f"; {_row(row)}" for row in rows)


def _row(row: Sequence[events.ChunkFailed]) -> str:
    first, last = row[0], row[-1]
    if first is last:
        return f"chunk {first.chunk} at {first.place}"
    return f"chunks {first.chunk} to {last.chunk}, from {first.place} to {last.place}"
