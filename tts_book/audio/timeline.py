"""What a chapter's sound is in time: which frames of its segments are kept, the silence between
them, and when speech begins and rests inside each. Pure arithmetic on what is known of the
segments; no sound is touched here.

The pause heard is the pause asked for: what a service leaves before and after its speech counts
as part of it. As much as possible of that is kept, for it sounds like the room of the voice;
digital silence fills up what is missing.

A service's marks stand some way before the sound that they mean, by voice: 67 to 156 ms on the
online voices that were measured. How far is measured in every chunk, on the words that follow a
silence, and the marks are brought onto the sound by that much.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import overload

from tts_book.model import Break, Chunk, Mark, Pauses, Segment, Sound
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
            if segment.chunk.heading_start == 0:
                after = Break.strongest((after, Break.HEADING))
            rest_ms = self._pauses.after(after) - _after_ms(last)
            wanted = _count_frames(rest_ms - _before_ms(sound), sound)
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
        wanted = _count_frames(self._pauses.chapter_ms - _after_ms(last), last)
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
        missing = _count_frames(pauses.after(found.kind) - found.length_ms, entry.sound)
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


def _count_frames(ms: float, sound: Sound) -> int:
    return round(ms / _frame_ms(sound))


# Marks and pauses inside a segment ----------------------------------------------------------------

Stretch = tuple[int, int]

_EARLIER_MS, _LATER_MS = 150, 300  # how far before and behind its sound a mark may stand
_LEAST_SHIFT_MS = 30  # engines whose marks are exact stay as they are
_AFTER_REST_MS = 50  # a word that begins so long after the last one may follow a silence
_ROUGHLY_MS = 200  # how far brought marks may still stand from the silence that they mean
# A sound this short inside a pause is a click or a breath and part of it; but behind a short
# silence it is the end of a word, whose last consonant stops the breath.
_CLICK_FRAMES, _CLOSURE_FRAMES = 4, 8
_MARGIN = 2  # characters: services count a full stop or a line's end to the words or not
_PARAGRAPH = re.compile(r"[^\n]+(?:\n[^\n]+)*")


@dataclass(frozen=True, slots=True)
class InnerPause:
    """A sentence or paragraph that ends at character `offset` of a chunk's text; ahead of a heading
    its `kind` is HEADING. There the voice rests for `length_ms`, which clicks may part into several
    `silences`; none where none was found. `certain`: not only the service takes this for an end."""

    offset: int
    kind: Break
    silences: Sequence[Stretch] = ()
    length_ms: float = 0.0
    certain: bool = True


def place_marks(marks: tuple[Mark, ...], sound: Sound) -> tuple[Mark, ...]:
    """The marks where their sound is heard."""
    shift_ms = measure_shift(marks, sound)
    if not shift_ms:
        return marks
    return tuple(
        replace(mark, start_ms=mark.start_ms + shift_ms, stop_ms=mark.stop_ms + shift_ms)
        for mark in marks
    )


def measure_shift(marks: Sequence[Mark], sound: Sound) -> int:
    """By how many ms the sound of a chunk follows its marks, in the median."""
    onsets_ms = [start_ms for start_ms, _ in find_runs(sound)]
    late = [
        onset_ms - start_ms
        for start_ms in _starts_after_rests(marks)
        if (onset_ms := _nearest(onsets_ms, start_ms)) is not None
    ]
    shift_ms = round(median(late)) if late else 0
    return shift_ms if abs(shift_ms) >= _LEAST_SHIFT_MS else 0


def find_runs(sound: Sound) -> tuple[tuple[float, float], ...]:
    """From when to when in ms speech is heard without a rest. Where only frames are known, it is
    taken to begin and end in the middle of one."""
    if sound.runs_ms or sound.speech_start == sound.speech_stop:
        return sound.runs_ms
    frame_ms = sound.samples_per_frame * 1_000 / sound.rate_hz
    edges = [sound.speech_start, *(at for pair in sound.quiet for at in pair), sound.speech_stop]
    return tuple(
        ((start + 0.5) * frame_ms, (stop - 0.5) * frame_ms)
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
    )


def _starts_after_rests(marks: Sequence[Mark]) -> Iterator[int]:
    """When the words are said to begin that seem to follow a silence."""
    words = [mark for mark in marks if mark.kind == "word"]
    for before, mark in pairwise((None, *(words or marks))):
        if mark is None:
            continue
        if not words or before is None or mark.start_ms - before.stop_ms >= _AFTER_REST_MS:
            yield mark.start_ms


def _nearest(onsets_ms: Sequence[float], start_ms: int) -> float | None:
    near = [ms for ms in onsets_ms if -_EARLIER_MS <= ms - start_ms <= _LATER_MS]
    # Marks stand before their sound, if not at it: those behind count as further away.
    return min(
        near, key=lambda ms: ms - start_ms if ms >= start_ms else 2 * (start_ms - ms), default=None
    )


def find_inner_pauses(
    chunk: Chunk, marks: tuple[Mark, ...], sound: Sound, splitter: Splitter
) -> Iterator[InnerPause]:
    """The ends of sentences and paragraphs inside a chunk, in order, with the silence at each."""
    if sound.speech_start == sound.speech_stop:
        return
    placed = place_marks(marks, sound)
    words = [mark for mark in placed if mark.kind == "word"] or list(placed)
    starts = [find_text_offset(chunk.alignment, mark.start) for mark in words]
    stops = [find_text_offset(chunk.alignment, mark.stop) for mark in words]
    runs = find_runs(sound)
    used = 0
    for offset, kind, certain in _find_ends(chunk, placed, splitter):
        after = bisect_left(starts, offset)
        first = last = 0
        if 0 < after < len(words) and stops[after - 1] <= offset + _MARGIN:
            since = _frame(words[after - 1].stop_ms - _ROUGHLY_MS, sound)
            until = _frame(words[after].start_ms + _ROUGHLY_MS, sound)
            first, last = _find_silences(sound.quiet, max(used, since), until)
        if first < last:
            used = sound.quiet[last - 1][1]
            length_ms = runs[last][0] - runs[first][1]
            yield InnerPause(offset, kind, sound.quiet[first:last], length_ms, certain)
        else:
            yield InnerPause(offset, kind, certain=certain)


def _find_ends(
    chunk: Chunk, marks: Sequence[Mark], splitter: Splitter
) -> Iterator[tuple[int, Break, bool]]:
    """Where sentences and paragraphs end inside the text, in order: as the text has it, and where
    only the service's own marks say so."""
    ends: dict[int, tuple[Break, bool]] = {}
    last = 0
    for paragraph in _PARAGRAPH.finditer(chunk.text):
        is_heading = paragraph.start() == chunk.heading_start
        before = Break.HEADING if is_heading else Break.PARAGRAPH
        for number, (start, stop) in enumerate(splitter.spans(paragraph[0])):
            if last and any(map(str.isalnum, paragraph[0][start:stop])):
                ends[last] = (Break.SENTENCE if number else before, True)
            last = paragraph.start() + stop
    ends.pop(last, None)
    known = sorted(ends)
    for mark in marks:
        if mark.kind == "sentence" and mark.stop < len(chunk.spoken):
            offset = find_text_offset(chunk.alignment, mark.stop)
            near = known[
                bisect_left(known, offset - _MARGIN) : bisect_right(known, offset + _MARGIN)
            ]
            if not near and chunk.text[offset:].strip():
                ends.setdefault(offset, (Break.SENTENCE, False))
    for offset, (kind, certain) in sorted(ends.items()):
        yield offset, kind, certain


def _find_silences(stretches: Sequence[Stretch], start: int, stop: int) -> tuple[int, int]:
    """Which of the stretches make a pause, from the first to behind the last: the one (in
    order, apart) that shares most with `start` to `stop`, and those that only clicks part from it.
    """
    best, most = -1, 0
    for at in range(bisect_right(stretches, start, key=lambda stretch: stretch[1]), len(stretches)):
        if stretches[at][0] >= stop:
            break
        shared = min(stretches[at][1], stop) - max(stretches[at][0], start)
        if shared > most:
            best, most = at, shared
    if best < 0:
        return 0, 0
    first = last = best
    while first > 0 and _is_click(stretches[first - 1], stretches[first], start):
        first -= 1
    while last + 1 < len(stretches) and _is_click(stretches[last], stretches[last + 1], start):
        last += 1
    return first, last + 1


def _is_click(before: Stretch, after: Stretch, start: int) -> bool:
    """Whether only a click parts two silences, of which none begins before `start`."""
    closure = before[1] - before[0] < _CLOSURE_FRAMES
    return before[0] >= start and after[0] - before[1] <= _CLICK_FRAMES and not closure


def find_text_offset(alignment: Sequence[Sequence[int]], spoken: int) -> int:
    """The offset in a chunk's text of an offset in what is spoken (see `Chunk.alignment`)."""
    at = bisect_right(alignment, spoken, key=lambda pair: pair[0]) - 1
    if at < 0:
        return spoken
    start, offset = alignment[at]
    return offset + spoken - start


def _frame(ms: float, sound: Sound) -> int:
    return round(ms * sound.rate_hz / (sound.samples_per_frame * 1_000))
