"""The last lines of a run: what was written, and what is missing or in doubt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book.events import JobDone, format_count, format_duration, format_number
from tts_book.model import DoubtKind
from tts_book.pipeline.event_builders import ONLY

if TYPE_CHECKING:
    from tts_book.pipeline.run import Result

MOST_LINES = 5


def summarize_run(
    done: Result, stale: Sequence[Path], command: str, *, quiet: bool
) -> Iterator[str]:
    """The last lines of a run: what may want a look, what is missing, then what was done. `stale`
    are files of earlier runs that are still there."""
    if not quiet:
        yield from _odd(done, stale)
    yield from _missing_sound(done)
    if done.guessed_captions and not quiet:
        yield "captions: no times of words came with the sound; those of sentences are estimated"
    if done.done.reason:
        yield done.done.reason
    for lost in done.books_lost:
        yield f"Not written: {lost.path}: {lost.reason}"
    if done.lost:
        yield _missing(done, command)
    if not quiet:
        yield _metrics(done)


# What is said of doubts, and what helps; {} is how many there are.
_SAID = {
    DoubtKind.UNSPOKEN: (
        "Not spoken by this voice: {}. Give them a pronunciation in pronounce.toml, or choose a "
        "multilingual voice (tts-book voices)"
    ),
    DoubtKind.UNDETERMINED: (
        "Cannot be determined whether this voice speaks them, since nothing but sound came: {}. "
        "Listen there, or choose a multilingual voice"
    ),
    DoubtKind.ODD: "Sounds odd and is complete: {}",
    DoubtKind.MARKS: "Marks that do not fit, checked by length and silence only: {}",
}
_MOST_PLACES = 20


def _doubts(done: Result) -> Iterator[str]:
    """What is in doubt, a paragraph for each kind, with the places."""
    for kind, said in _SAID.items():
        found = [d for event in done.doubts for d in event.doubts if d.kind is kind]
        if not found:
            continue
        unit = "place" if kind in (DoubtKind.ODD, DoubtKind.MARKS) else "passage"
        yield f"{said.format(format_count(len(found), unit))}:"
        places: dict[str, list[str]] = {}
        for doubt in found:
            places.setdefault(doubt.what, []).append(doubt.place)
        for what, at in list(places.items())[:_MOST_PLACES]:
            more = f" and {len(at) - 2} more" if len(at) > 2 else ""
            yield f"  {what}: {', '.join(at[:2])}{more}"
        if len(places) > _MOST_PLACES:
            yield f"  … and {len(places) - _MOST_PLACES} others; all are in the record"


def _missing_sound(done: Result) -> Iterator[str]:
    """Where sound may be missing: every place, because somebody has to listen there."""
    for event in done.doubts:
        for doubt in event.doubts:
            if doubt.kind is DoubtKind.SOUND:
                chunk = f"{event.chapter}/{event.chunk}"
                yield (
                    f"Sound may be missing: {event.place} (chunk {chunk}): {doubt.what}. "
                    f"Listen, or speak it again with --redo {chunk}"
                )


def _odd(done: Result, stale: Sequence[Path]) -> Iterator[str]:
    for voice, note in dict.fromkeys((noted.voice, noted.note) for noted in done.notes):
        yield f"{voice}: {note}"
    yield from _doubts(done)
    yield from _some(
        "from an earlier run; it no longer belongs to any chapter (see --clean)", stale
    )
    for off in done.off_target:
        off_db = off.loudness_lufs - off.target_lufs
        yield (
            f"loudness: {off.voice} is at {off.loudness_lufs:.1f} LUFS, {abs(off_db):.1f} dB "
            f"{'above' if off_db > 0 else 'below'} the target: more would distort it; ask for less "
            "with --loudness"
        )
    yield from _some(
        "captions of an earlier run, which may not fit any more (--captions rebuilds them)",
        done.outdated,
    )


def _some(what: str, paths: Sequence[Path]) -> Iterator[str]:
    for path in paths[:MOST_LINES]:
        yield f"{what}: {path}"
    more = len(paths) - MOST_LINES
    if more > 0:
        yield f"… and {format_count(more, 'more file')}"


def _missing(done: Result, command: str) -> str:
    names = ", ".join(
        f"{event.book} {event.chapter} ({event.title})" for event in done.lost[:MOST_LINES]
    )
    more = f" and {len(done.lost) - MOST_LINES} more" if len(done.lost) > MOST_LINES else ""
    if all(event.reason.startswith(ONLY) for event in done.lost):
        on = "without --only the same command speaks the rest, and writes what is whole then"
        return f"Not written: {names}{more}. What was asked for is spoken and kept; {on}."
    return (
        f"Not written: {names}{more}. All that was spoken is kept: the same command speaks only "
        f"what is missing: {command}"
    )


def _metrics(done: Result) -> str:
    end = done.done
    parts = [
        f"{format_count(end.chapters_done - end.chapters_kept, 'chapter')} written"
        + (f", {format_number(end.chapters_kept)} left as before" if end.chapters_kept else "")
        + f", {format_number(end.chapters_lost)} missing",
        f"{format_count(end.chunks_spoken, 'chunk')} spoken, "
        f"{format_number(end.chunks_cached)} from the cache, "
        f"{format_number(end.chunks_failed)} failed",
        format_count(end.requests, "request")
        + "".join(f", {count} retried ({name})" for name, count in end.retries.items()),
        f"{format_count(end.characters_spoken, 'character')}",
        f"{format_duration(end.sound_ms)} of sound in "
        f"{format_duration(end.wall_s * 1_000)}{_speed(end)}",
    ]
    return "; ".join(parts)


def _speed(end: JobDone) -> str:
    """Shown for runs that spoke all of it: what is in the cache takes no time."""
    if end.chunks_cached or not end.chunks_spoken or end.wall_s <= 0:
        return ""
    return f" ({end.sound_ms / 1_000 / end.wall_s:.0f}× real time)"
