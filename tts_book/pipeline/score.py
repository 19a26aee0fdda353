"""What a run has done so far, counted from its events."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tts_book import events


@dataclass(slots=True)
class Score:
    """A listener that counts chunks, requests, characters and sound."""

    spoken: int = 0
    cached: int = 0
    failed: int = 0
    requests: int = 0
    characters: int = 0
    sounds_ms: Counter[tuple[str, int]] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    doubts: list[events.ChunkDone] = field(default_factory=list)
    lost: list[events.ChapterLost] = field(default_factory=list)
    books_lost: list[events.BookLost] = field(default_factory=list)

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.ChunkStarted():
                self.requests += 1
            case events.ChunkRetried():
                self.retries[event.failure] += 1
            case events.ChunkDone():
                self._done(event)
            case events.ChunkFailed():
                self.failed += 1
            case events.VoiceChanged():
                self.failed -= event.missing
                del self.sounds_ms[event.book, event.chapter]  # its chunks are told anew
            case events.ChapterLost():
                self.lost.append(event)
            case events.BookLost():
                self.books_lost.append(event)
            case _:
                pass

    def _done(self, event: events.ChunkDone) -> None:
        self.sounds_ms[event.book, event.chapter] += event.duration_ms
        if event.doubts:
            self.doubts.append(event)
        if event.cached:
            self.cached += 1
        else:
            self.spoken += 1
            self.characters += event.characters

    def total(
        self, chapters_done: int, chapters_kept: int, wall_s: float, reason: str
    ) -> events.JobDone:
        """All of it, as the last event of the run."""
        return events.JobDone(
            chapters_done=chapters_done,
            chapters_lost=len(self.lost),
            chunks_spoken=self.spoken,
            chunks_cached=self.cached,
            chunks_failed=self.failed,
            requests=self.requests,
            retries=dict(self.retries),
            characters_spoken=self.characters,
            sound_ms=self.sounds_ms.total(),
            wall_s=wall_s,
            reason=reason,
            chapters_kept=chapters_kept,
        )
