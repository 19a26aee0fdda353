"""How long a chapter rests, and where: which frames of its segments are kept, and the silence
between them. Pure arithmetic on what is known of the segments; no sound is touched here.

The pause heard is the pause asked for: what a service leaves before and after its speech counts
as part of it. As much as possible of that is kept, for it sounds like the room of the voice;
digital silence fills up what is missing.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import overload

from tts_book.model import Break, Chunk, Mark, Pauses, Segment, Sound

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
_ROUGHLY_MS = 200  # how far a service's marks may stand from the silence that they mean
_WORTH_FRAMES = 2  # smaller changes within a chunk are not worth a cut
_SENTENCE_END = re.compile(r"[.!?…。！？।؟]")

_Stretch = tuple[int, int]
_Stretches = tuple[_Stretch, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A chapter as it will be heard: its pieces, and the frames of silence at its end.

    `speech` says for each segment at which frame of the chapter its speech begins.
    """

    pieces: Sequence[FrameSpan]
    end_rest: int
    speech: Sequence[int]

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


def build_timeline(segments: Iterable[Segment], pauses: Pauses, least_rest: int) -> Timeline:
    """How the segments of a chapter follow one another. `least_rest` frames of silence are needed
    wherever sound does not follow what it followed before. Asks for each segment once."""
    pieces = FrameSpans()
    speech = array("q")
    at = tail = 0
    before: Segment | None = None
    for number, segment in enumerate(segments):
        sound = segment.entry.sound
        begin, end = _span(sound)
        if before:
            wanted = _wanted(pauses.after(before.chunk.after), before.entry.sound, sound)
            kept, rest, head = _between(tail, begin, wanted, least_rest)
            pieces.shorten(tail - kept)
            at -= tail - kept
        else:
            rest, head = _lead(begin, least_rest)
        speech.append(at + rest + head)
        for piece in _pieces(number, segment, begin - head, rest, pauses, least_rest):
            pieces.append(piece)
            at += piece.rest + piece.stop - piece.start
        tail, before = sound.frames - end, segment
    if not before:
        return Timeline((), 0, ())
    kept, end_rest = _ending(tail, _wanted(pauses.chapter_ms, before.entry.sound))
    pieces.shorten(tail - kept)
    return Timeline(pieces, end_rest, speech)


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
    number: int, segment: Segment, start: int, rest: int, pauses: Pauses, least_rest: int
) -> Iterator[FrameSpan]:
    for cut, resume, silent in _changes(segment, pauses, least_rest):
        yield FrameSpan(number, rest, start, cut)
        start, rest = resume, silent
    yield FrameSpan(number, rest, start, segment.entry.sound.frames)


def _changes(segment: Segment, pauses: Pauses, least_rest: int) -> Iterator[tuple[int, int, int]]:
    """Changes to the pauses within a segment: where it stops, where it goes on, and the frames of
    silence set in between."""
    sound = segment.entry.sound
    if not (sound.quiet and sound.still):
        return
    used = 0
    for since_ms, until_ms, kind in _ends(segment.chunk, segment.entry.marks):
        since = _frames(since_ms - _ROUGHLY_MS, sound)
        until = _frames(until_ms + _ROUGHLY_MS, sound)
        quiet = _longest(sound.quiet, max(used, since), until)
        if quiet is None:
            continue
        used = quiet[1]
        change = _change(
            quiet, sound.still, _wanted(pauses.after(kind), sound, sound), kind, least_rest
        )
        if change:
            yield change


def _change(
    quiet: _Stretch, still: _Stretches, wanted: int, kind: Break, least_rest: int
) -> tuple[int, int, int] | None:
    """How the pause `quiet` becomes `wanted` frames long, where it can. Only frames that are
    nearly silent already are taken out or parted. The pauses of sentences are not lengthened."""
    first, last = quiet[0] + KEPT_AFTER, quiet[1] - KEPT_BEFORE
    room = _longest(still, first, last)
    if room is None:
        return None
    start, stop = max(room[0], first), min(room[1], last)
    over = quiet[1] - quiet[0] - wanted
    if over >= _WORTH_FRAMES:
        gone = min(over + least_rest, stop - start)
        return (stop - gone, stop, least_rest) if gone - least_rest >= _WORTH_FRAMES else None
    if kind is Break.SENTENCE or -over < max(_WORTH_FRAMES, least_rest):
        return None
    middle = (start + stop) // 2
    return middle, middle, -over


def _longest(stretches: _Stretches, start: int, stop: int) -> _Stretch | None:
    """The one of the stretches (in order, apart) that shares most with `start` to `stop`."""
    best, most = None, 0
    first = bisect_right(stretches, start, key=lambda stretch: stretch[1])
    for stretch in islice(stretches, first, None):
        if stretch[0] >= stop:
            break
        shared = min(stretch[1], stop) - max(stretch[0], start)
        if shared > most:
            best, most = stretch, shared
    return best


def _ends(chunk: Chunk, marks: tuple[Mark, ...]) -> Iterator[tuple[int, int, Break]]:
    """Where sentences and paragraphs end within a chunk: from which time to which, and what ends.

    Marks of sentences tell best; from marks of words the marks between them are read.
    """
    sentences = [mark for mark in marks if mark.kind == "sentence"]
    for before, after in pairwise(sentences or marks):
        between = _text_between(chunk, before, after)
        if "\n\n" in between:
            yield before.stop_ms, after.start_ms, Break.PARAGRAPH
        elif sentences or _SENTENCE_END.search(between):
            yield before.stop_ms, after.start_ms, Break.SENTENCE


def _text_between(chunk: Chunk, before: Mark, after: Mark) -> str:
    """What stands between two marks, and two characters on either side: services count a full
    stop or a line's end to the words or not, as they like."""
    start, stop = (led_back(chunk.alignment, at) for at in (before.stop, after.start))
    return chunk.text[max(0, start - 2) : stop + 2]


def led_back(alignment: Sequence[Sequence[int]], spoken: int) -> int:
    """The offset in a chunk's text of an offset in what is spoken (see `Chunk.alignment`)."""
    at = bisect_right(alignment, spoken, key=lambda pair: pair[0]) - 1
    if at < 0:
        return spoken
    start, offset = alignment[at]
    return offset + spoken - start


def _wanted(ms: int, *edges: Sound) -> int:
    """Whole frames of quiet that are heard as `ms`: the frames where speech ends and begins again
    are quiet too, each half on the average."""
    half_frames = sum(sound.speech_start < sound.speech_stop for sound in edges)
    frames = ms * edges[0].rate_hz / (edges[0].samples_per_frame * 1_000)
    return max(0, round(frames - half_frames / 2))


def _frames(ms: float, sound: Sound) -> int:
    return round(ms * sound.rate_hz / (sound.samples_per_frame * 1_000))
