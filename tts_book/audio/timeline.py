"""How long a chapter rests, and where: which frames of its segments are kept, and the silence
between them. Pure arithmetic on what is known of the segments; no sound is touched here.

The pause heard is the pause asked for: what a service leaves before and after its speech counts
as part of it. As much as possible of that is kept, for it sounds like the room of the voice;
digital silence fills up what is missing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from tts_book.audio.speech_times import Stretch, find_inner_pauses, find_runs
from tts_book.model import Break, Pauses, Segment, Sound
from tts_book.text.sentences import Splitter

_FIELDS = 4


@dataclass(frozen=True, slots=True)
class FrameSpan:
    """Frames `start` to `stop` of segment number `segment`, after `rest` frames of silence."""

    segment: int
    rest: int
    start: int
    stop: int


class FrameSpans(Sequence[FrameSpan]):
    """Pieces in order; they can be added, and the last one's end can be moved."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers = array("q")

    def append(self, piece: FrameSpan) -> None:
        """One more piece at the end."""
        self._numbers.extend((piece.segment, piece.rest, piece.start, piece.stop))

    def shorten(self, frames: int) -> None:
        """Takes so many frames from the end of the last piece."""
        self._numbers[-1] -= frames

    def __len__(self) -> int:
        return len(self._numbers) // _FIELDS

    @overload
    def __getitem__(self, index: int) -> FrameSpan: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[FrameSpan]: ...
    def __getitem__(self, index: int | slice) -> FrameSpan | Sequence[FrameSpan]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index] * _FIELDS
        return FrameSpan(*self._numbers[at : at + _FIELDS])


# Frames kept before and after speech: the quiet onset of a consonant, the last of a vowel.
KEPT_BEFORE, KEPT_AFTER = 3, 3
# Frames before the first word of a file.
LEAD_LEAST, LEAD_MOST = 5, 10
_WORTH_FRAMES = 2  # smaller changes within a chunk are not worth a cut


@dataclass(frozen=True, slots=True)
class Timeline:
    """A chapter as it will be heard: its pieces, and the frames of silence at its end.

    `speech` says for each segment at which frame of the chapter its speech begins. `unpaused` are
    the ends of sentences and paragraphs at which no silence was found, so that their pauses are the
    voice's own: number of the segment, offset in its text.
    """

    pieces: Sequence[FrameSpan]
    end_rest: int
    speech: Sequence[int]
    unpaused: tuple[tuple[int, int], ...] = ()

    @property
    def frames(self) -> int:
        """All frames of the chapter."""
        return sum(p.rest + p.stop - p.start for p in self.pieces) + self.end_rest

    def heard(self) -> Iterator[tuple[FrameSpan, int]]:
        """Each piece, and the frame of the chapter at which it begins."""
        at = 0
        for piece in self.pieces:
            at += piece.rest
            yield piece, at
            at += piece.stop - piece.start


class TimelineBuilder:
    """Makes the timeline of a chapter segment by segment; keeps a few numbers of each. `least_rest`
    frames of silence are needed wherever sound does not follow what it followed before."""

    def __init__(self, pauses: Pauses, least_rest: int, splitter: Splitter) -> None:
        self._pauses, self._least_rest, self._splitter = pauses, least_rest, splitter
        self._pieces, self._speech = FrameSpans(), array("q")
        self._unpaused: list[tuple[int, int]] = []
        self._at = self._tail = 0
        self._before: tuple[Break, Sound] | None = None

    def add(self, segment: Segment) -> None:
        """One more segment at the end."""
        sound, number = segment.entry.sound, len(self._speech)
        begin, end = _span(sound)
        if self._before:
            after, last = self._before
            rest_ms = self._pauses.after(after) - _after_ms(last)
            wanted = _frames(rest_ms - _before_ms(sound), sound)
            kept, rest, head = _between(self._tail, begin, wanted, self._least_rest)
            self._shorten(self._tail - kept)
        else:
            rest, head = _lead(begin, self._least_rest)
        self._speech.append(self._at + rest + head)
        here: list[int] = []
        changes = _changes(segment, self._pauses, self._least_rest, self._splitter, here)
        for piece in _pieces(number, sound.frames, begin - head, rest, changes):
            self._pieces.append(piece)
            self._at += piece.rest + piece.stop - piece.start
        self._unpaused += ((number, offset) for offset in here)
        self._tail, self._before = sound.frames - end, (segment.chunk.after, sound)

    def finish(self) -> Timeline:
        """The timeline of all segments; nothing can be added after it."""
        if not self._before:
            return Timeline((), 0, ())
        last = self._before[1]
        wanted = _frames(self._pauses.chapter_ms - _after_ms(last), last)
        kept, end_rest = _ending(self._tail, wanted)
        self._shorten(self._tail - kept)
        return Timeline(self._pieces, end_rest, self._speech, tuple(self._unpaused))

    def _shorten(self, frames: int) -> None:
        self._pieces.shorten(frames)
        self._at -= frames


def build_timeline(
    segments: Iterable[Segment], pauses: Pauses, least_rest: int, splitter: Splitter
) -> Timeline:
    """How the segments of a chapter follow one another; see `TimelineBuilder`."""
    builder = TimelineBuilder(pauses, least_rest, splitter)
    for segment in segments:
        builder.add(segment)
    return builder.finish()


def _span(sound: Sound) -> tuple[int, int]:
    """Where speech begins and ends. Sound without any is kept whole, like speech."""
    if sound.speech_start == sound.speech_stop:
        return 0, sound.frames
    return sound.speech_start, sound.speech_stop


def _between(tail: int, head: int, wanted: int, least_rest: int) -> tuple[int, int, int]:
    """Of `tail` and `head` quiet frames around a join: how many of the tail are kept, how many
    silent ones follow, how many of the head are kept. The tail is cut first: that costs nothing."""
    rest = max(least_rest, wanted - tail - head)
    over = max(0, tail + rest + head - wanted)
    from_tail = min(over, max(0, tail - KEPT_AFTER))
    from_head = min(over - from_tail, max(0, head - KEPT_BEFORE))
    return tail - from_tail, rest, head - from_head


def _lead(head: int, least_rest: int) -> tuple[int, int]:
    """Silent frames before the first segment, and how many of its quiet ones are kept."""
    if head > LEAD_MOST:
        return least_rest, max(KEPT_BEFORE, LEAD_MOST - least_rest)
    return max(0, LEAD_LEAST - head), head


def _ending(tail: int, wanted: int) -> tuple[int, int]:
    kept = min(tail, max(wanted, KEPT_AFTER))
    return kept, max(0, wanted - kept)


def _pieces(
    number: int, frames: int, start: int, rest: int, changes: Iterable[tuple[int, int, int]]
) -> Iterator[FrameSpan]:
    for cut, resume, silent in changes:
        yield FrameSpan(number, rest, start, cut)
        start, rest = resume, silent
    yield FrameSpan(number, rest, start, frames)


def _changes(
    segment: Segment, pauses: Pauses, least_rest: int, splitter: Splitter, unpaused: list[int]
) -> Iterator[tuple[int, int, int]]:
    """Changes to the pauses within a segment: where it stops, where it goes on, and the frames of
    silence set in between. Ends without a silence go into `unpaused`."""
    entry = segment.entry
    for found in find_inner_pauses(segment.chunk, entry.marks, entry.sound, splitter):
        if not found.silences:
            if found.certain:
                unpaused.append(found.offset)
            continue
        missing = _frames(pauses.after(found.kind) - found.length_ms, entry.sound)
        if missing < 0:
            yield from _shorten(found.silences, -missing, least_rest)
        elif found.certain and missing >= max(_WORTH_FRAMES, least_rest):
            start, stop = max(found.silences, key=_length)
            yield (start + stop) // 2, (start + stop) // 2, missing


def _shorten(
    silences: Sequence[Stretch], over: int, least_rest: int
) -> Iterator[tuple[int, int, int]]:
    """Takes `over` frames out of a pause, or as many as can be spared: from its longest silence
    first."""
    changes = []
    for start, stop in sorted(silences, key=_length, reverse=True):
        gone = min(over + least_rest, stop - KEPT_BEFORE - start - KEPT_AFTER)
        if gone - least_rest >= _WORTH_FRAMES:
            changes.append((stop - KEPT_BEFORE - gone, stop - KEPT_BEFORE, least_rest))
            over -= gone - least_rest
    yield from sorted(changes)


def _length(stretch: Stretch) -> int:
    return stretch[1] - stretch[0]


def _after_ms(sound: Sound) -> float:
    """How much of the last frame with speech is quiet."""
    runs = find_runs(sound)
    return sound.speech_stop * _frame_ms(sound) - runs[-1][1] if runs else 0.0


def _before_ms(sound: Sound) -> float:
    """How much of the first frame with speech is quiet."""
    runs = find_runs(sound)
    return runs[0][0] - sound.speech_start * _frame_ms(sound) if runs else 0.0


def _frame_ms(sound: Sound) -> float:
    return sound.samples_per_frame * 1_000 / sound.rate_hz


def _frames(ms: float, sound: Sound) -> int:
    return round(ms / _frame_ms(sound))
