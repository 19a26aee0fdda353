"""Events as plain lines, for people, and as JSON, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO

from tts_book import events
from tts_book.cli.figures import format_count, format_duration, format_number, format_share
from tts_book.events import Event, Listener


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
        self._given_up: dict[tuple[str, int], list[events.ChunkFailed]] = {}

    def __call__(self, event: Event) -> str | None:
        """The line for this event, None for those that say nothing by themselves."""
        match event:
            case events.ChunkFailed(given_up=True):
                self._given_up.setdefault((event.book, event.chapter), []).append(event)
                return None
            case events.ChapterLost() | events.VoiceChanged():
                return f"{describe_event(event)}{self._where(event)}"
            case _:
                return describe_event(event)

    def _where(self, event: events.ChapterLost | events.VoiceChanged) -> str:
        here = sorted(
            self._given_up.pop((event.book, event.chapter), ()), key=lambda failed: failed.chunk
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


def describe_event(event: Event) -> str | None:
    """The plain line for an event, None for those that say nothing by themselves."""
    match event:
        case events.JobStarted():
            return _started(event)
        case events.ChapterDone(kept=False):
            length = format_duration(event.duration_ms)
            return f"{event.book}: chapter {event.chapter} done, {length}: {event.title}"
        case events.ChapterLost():
            return f"{event.book}: chapter {event.chapter} not written: {event.reason}"
        case events.GainSettled():
            chapters = format_count(event.chapters, "chapter")
            return f"{chapters} to bring to the loudness of the book"
        case events.BookDone():
            chapters = format_count(event.chapters, "chapter")
            length = format_duration(event.duration_ms)
            return f"{event.book}: {event.path} done, {chapters}, {length}"
        case events.BookLost():
            return f"{event.book}: {event.path} not written: {event.reason}"
        case events.ChunkFailed():
            return (
                f"{event.place}: chunk {event.chapter}/{event.chunk} is not spoken: "
                f"“{event.words}” ({event.failure}). {event.reason}"
            )
        case events.VoiceChanged():
            return f"{event.book}: {event.voice} takes over chapter {event.chapter}: {event.title}"
        case events.LimitChanged() if event.pause_s > 0:
            return f"{event.backend}: a pause of {event.pause_s:.0f} s. {event.reason}"
        case _:
            return None


def _started(event: events.JobStarted) -> str:
    if event.cached:
        others = f", {format_number(event.relabelled)} relabelled" if event.relabelled else ""
        return (
            f"{format_share(event.chunks - event.cached, event.chunks, 'chunks')} new "
            f"({format_count(event.new_characters, 'character')}); "
            f"{format_share(event.joined, event.chapters, 'chapters')} joined{others}"
        )
    return (
        f"{format_count(event.chapters, 'chapter')}, {format_count(event.chunks, 'chunk')}, "
        f"{format_count(event.characters, 'character')}, "
        f"about {format_duration(event.estimated_ms)} of sound"
    )
