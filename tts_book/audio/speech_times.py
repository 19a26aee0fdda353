"""When speech begins and rests inside a chunk's sound, from the service's marks and the silences
that were found in it.

A service's marks stand some way before the sound that they mean, by voice: 67 to 156 ms on the
online voices that were measured. How far is measured in every chunk, on the words that follow a
silence, and the marks are brought onto the sound by that much.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from tts_book.model import Break, Chunk, Mark, Sound
from tts_book.text.sentences import Splitter

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
    """A sentence or paragraph that ends at character `offset` of a chunk's text. There the voice
    rests for `length_ms`, which clicks may part into several `silences`; none where none was found.
    `certain`: not only the service takes this for an end."""

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
        for number, (start, stop) in enumerate(splitter.spans(paragraph[0])):
            if last and any(map(str.isalnum, paragraph[0][start:stop])):
                ends[last] = (Break.SENTENCE if number else Break.PARAGRAPH, True)
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
