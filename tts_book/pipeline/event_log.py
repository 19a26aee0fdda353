"""Events as records of the logger `tts_book.job`, for every program that sets `logging` up."""

from __future__ import annotations

import logging

from tts_book import events
from tts_book.events import Event, describe_event, format_count

ROOT = "tts_book"
EVENTS = f"{ROOT}.job"
logging.getLogger(ROOT).addHandler(logging.NullHandler())  # or Python itself would show warnings


def log_event(event: Event) -> None:
    """A listener: events as records."""
    level, text = _describe_record(event)
    if text:
        logging.getLogger(EVENTS).log(level, "%s", escape_text(text))


def _describe_record(event: Event) -> tuple[int, str]:
    match event:
        case events.ChunkStarted():
            where = f"{event.chapter}/{event.chunk} of {event.book}"
            return logging.DEBUG, f"{where}: attempt {event.attempt}, {event.in_flight} in flight"
        case events.ChunkRetried():
            where = f"{event.chapter}/{event.chunk} of {event.book}"
            failed = f"attempt {event.attempt} failed ({event.failure}): {event.reason}"
            return logging.WARNING, f"{where}: {failed} Again in {event.wait_s:.1f} s."
        case events.ChunkDone():
            return _describe_done(event)
        case events.ChunkFailed() | events.ChapterLost() | events.BookLost():
            return logging.ERROR, describe_event(event) or ""
        case events.VoiceChanged():
            return logging.WARNING, describe_event(event) or ""
        case events.LimitChanged():
            limit = f"{event.backend}: at most {event.limit} at once"
            if event.pause_s:
                return logging.WARNING, f"{limit}, after a pause of {event.pause_s:.1f} s for all"
            return logging.INFO, f"{limit} from now on ({event.reason})"
        case events.VoiceNoted():
            return logging.INFO, f"{event.voice}: {event.note}"
        case events.JobDone():
            return logging.INFO, _describe_end(event)
        case _:
            return logging.INFO, describe_event(event) or ""


def _describe_done(event: events.ChunkDone) -> tuple[int, str]:
    where = f"{event.chapter}/{event.chunk} of {event.book} ({event.place})"
    if event.doubts:
        return logging.WARNING, f"{where}: kept with doubts: {'; '.join(map(str, event.doubts))}"
    if event.cached:
        return logging.DEBUG, f"{where}: from the cache"
    tries = "" if event.attempts == 1 else f", {format_count(event.attempts, 'attempt')}"
    sound = f"{event.characters} characters, {event.duration_ms / 1_000:.2f} s of sound"
    return logging.INFO, f"{where}: spoken, {sound}{tries}"


def _describe_end(event: events.JobDone) -> str:
    retries = sum(event.retries.values())
    ended = f"{event.wall_s:.1f} s, {format_count(event.requests, 'request')}, {retries} retried"
    return f"the job has ended: {ended}" + (f"; {event.reason}" if event.reason else "")


def escape_text(text: str) -> str:
    """`text` on one line, harmless to a terminal: what cannot be seen is spelled out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
