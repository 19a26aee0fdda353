"""When each sentence is heard, as captions: SRT, WebVTT or LRC.

Times come from the marks that the service gave with the sound, led through every cut and pause to
the finished file. Where an engine gives no marks, a sentence's share of its chunk's speech is
measured by its length.
"""

from __future__ import annotations

import html
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from tts_book.audio import DELAY
from tts_book.audio.timeline import FrameSpan, Timeline, find_text_offset, place_marks
from tts_book.model import Break, Chunk, DoubtKind, Mark, Segment, Sound
from tts_book.output.whole_book import Volume
from tts_book.synthesis import atomic
from tts_book.text.sentences import Splitter

_LONGEST = 84  # characters of a caption: two lines
_LINE = 42
_LEAST_MS = 400
_PARAGRAPH = re.compile(r"[^\n]+(?:\n[^\n]+)*")
_CLAUSE = re.compile(r"[,;:—–](?=\s)|[.!?…](?=\s)")


@dataclass(frozen=True, slots=True)
class Cue:
    """Words on one line, when they are heard in a file, and the role that says them, "" for the
    narrator."""

    start_ms: int
    stop_ms: int
    text: str
    role: str = ""


class CueBuilder:
    """Makes the cues of a chapter segment by segment, in order, none over another."""

    def __init__(self, timeline: Timeline, splitter: Splitter) -> None:
        self._pieces = groupby(timeline.heard(), key=lambda pair: pair[0].segment)
        self._splitter = splitter
        self.cues: list[Cue] = []
        self.guessed = False  # whether the engine of a segment gave no marks
        self._role_changes = False  # within a paragraph, before the next segment

    def add(self, segment: Segment) -> None:
        """What is heard in the next segment."""
        self.guessed |= is_guessed(segment)
        _, heard = next(self._pieces)
        for cue in _of_segment(segment, list(heard), self._splitter):
            if self.cues:
                last = self.cues[-1]
                if self._role_changes:
                    last, cue = _share_signs(last, cue)
                    self._role_changes = False
                stop_ms = min(last.stop_ms, max(last.start_ms, cue.start_ms))
                self.cues[-1] = replace(last, stop_ms=stop_ms)
                cue = replace(cue, start_ms=max(cue.start_ms, last.start_ms))
            self.cues.append(cue)
        self._role_changes = segment.chunk.after is Break.VOICE


def cues(segments: Iterable[Segment], timeline: Timeline, splitter: Splitter) -> list[Cue]:
    """What is heard in a chapter; see `CueBuilder`."""
    builder = CueBuilder(timeline, splitter)
    for segment in segments:
        builder.add(segment)
    return builder.cues


def is_guessed(segment: Segment) -> bool:
    """Whether a segment's times are estimated, because its engine gave no marks that fit."""
    entry = segment.entry
    estimated = any(doubt.kind is DoubtKind.TIMES for doubt in entry.doubts)
    return (estimated or not entry.marks) and any(map(str.isalnum, segment.chunk.text))


def _of_segment(
    segment: Segment, heard: list[tuple[FrameSpan, int]], splitter: Splitter
) -> Iterator[Cue]:
    chunk, sound = segment.chunk, segment.entry.sound
    clock = _clock(chunk, place_marks(segment.entry.marks, sound), sound)
    for start, stop in _lines(chunk.text, splitter):
        text = " ".join(chunk.text[start:stop].split())
        if any(map(str.isalnum, text)):
            begins_ms, ends_ms = clock(start, stop)
            first, end = (_in_file(ms, heard, sound) for ms in (begins_ms, ends_ms))
            yield Cue(first, max(end, first + _LEAST_MS), text, chunk.role)


# Text ---------------------------------------------------------------------------------------------

# Signs that a change of role parts from their words: what closes speech begins the next cue, what
# opens it ends the one before.
_CLOSING = re.compile(r"""["'“”’»›‘]+[,.;:!?]*(?=\s)""")
_OPENING = re.compile(r"""(?<!\s)\s+([—–]?\s?["'„“«‹‘»›]+|[—–])$""")


def _share_signs(before: Cue, after: Cue) -> tuple[Cue, Cue]:
    """Two cues of different roles in one paragraph, each with the quotation marks of its words."""
    if closing := _CLOSING.match(after.text):
        rest = after.text[closing.end() :].lstrip()
        before, after = replace(before, text=before.text + closing[0]), replace(after, text=rest)
    if opening := _OPENING.search(before.text):
        gap = " " if opening[1][-1] in "—–" else ""
        after = replace(after, text=opening[1] + gap + after.text)
        before = replace(before, text=before.text[: opening.start()])
    return before, after


def _lines(text: str, splitter: Splitter) -> Iterator[tuple[int, int]]:
    """Spans of the sentences of a text; long ones are parted where they may be."""
    for paragraph in _PARAGRAPH.finditer(text):
        for first, last in splitter.spans(paragraph[0]):
            yield from _parted(text, paragraph.start() + first, paragraph.start() + last)


def _parted(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    while stop - start > _LONGEST:
        cut = _cut(text[start : start + _LONGEST + 1])
        yield start, start + cut
        start += cut
        while start < stop and text[start].isspace():
            start += 1
    if start < stop:
        yield start, stop


def _cut(window: str) -> int:
    """Where a line that is too long is parted: after a clause in its second half, else between
    words, else anywhere."""
    clauses = [found.end() for found in _CLAUSE.finditer(window)]
    if clauses and clauses[-1] > _LONGEST // 3:
        return clauses[-1]
    blank = max(window.rfind(" "), window.rfind("\n"))
    return blank if blank > 0 else _LONGEST


# Time ---------------------------------------------------------------------------------------------


def _clock(
    chunk: Chunk, marks: tuple[Mark, ...], sound: Sound
) -> Callable[[int, int], tuple[float, float]]:
    """When a span of the chunk's text is heard, in ms of its sound. Words are exact."""
    told = [mark for mark in marks if mark.kind == "word"] or list(marks)
    told.sort(key=attrgetter("start", "stop"))
    frame_ms = sound.samples_per_frame * 1_000 / sound.rate_hz
    silent = sound.speech_start == sound.speech_stop
    begin_ms = sound.speech_start * frame_ms
    end_ms = (sound.frames if silent else sound.speech_stop) * frame_ms
    edges = [(0, 0.0 if told else begin_ms)]
    for mark in told:
        for spoken, ms in ((mark.start, mark.start_ms), (mark.stop, mark.stop_ms)):
            at = find_text_offset(chunk.alignment, spoken)
            edges.append((max(at, edges[-1][0]), max(float(ms), edges[-1][1])))
    edges.append((max(len(chunk.text), edges[-1][0]), max(end_ms, edges[-1][1])))
    if told:
        edges[0] = (0, edges[1][1])
        edges[-1] = (edges[-1][0], edges[-2][1])
    starts = [at for at, _ in edges]

    def at_ms(position: int, *, before: bool) -> float:
        """Between two edges time runs evenly; where edges meet, the later one begins a span and
        the earlier ends it."""
        after = bisect_right(starts, position if not before else position - 1)
        if after == 0:
            return edges[0][1]
        if after == len(edges):
            return edges[-1][1]
        (left, left_ms), (right, right_ms) = edges[after - 1], edges[after]
        share = (position - left) / (right - left) if right > left else 1.0
        return left_ms + (right_ms - left_ms) * share

    return lambda start, stop: (at_ms(start, before=False), at_ms(stop, before=True))


def _in_file(ms: float, heard: list[tuple[FrameSpan, int]], sound: Sound) -> int:
    """A moment of a segment's sound as a moment of the file; what was cut out is where the cut
    is. Players take off the decoder's delay."""
    frame_ms = sound.samples_per_frame * 1_000 / sound.rate_hz
    frame = ms / frame_ms
    best, least = 0.0, float("inf")
    for piece, at in heard:
        inside = min(max(frame, piece.start), piece.stop)
        if abs(inside - frame) < least:
            best, least = at + inside - piece.start, abs(inside - frame)
    return max(0, round(best * frame_ms - DELAY * 1_000 / sound.rate_hz))


# Files --------------------------------------------------------------------------------------------


def srt(found: Iterable[Cue], title: str) -> Iterator[str]:
    """SubRip, which players show beside the sound."""
    for number, cue in enumerate(found, 1):
        times = f"{_time(cue.start_ms, ',')} --> {_time(cue.stop_ms, ',')}"
        yield f"{number}\n{times}\n{_two_lines(cue.text.replace('-->', '→'))}\n\n"


def vtt(found: Iterable[Cue], title: str) -> Iterator[str]:
    """WebVTT, for the web and podcasts; a cue that another role than the narrator says names it."""
    yield f"WEBVTT\n\nNOTE {html.escape(' '.join(title.split()), quote=False)}\n\n"
    for cue in found:
        times = f"{_time(cue.start_ms, '.')} --> {_time(cue.stop_ms, '.')}"
        speaker = f"<v {html.escape(' '.join(cue.role.split()), quote=False)}>" if cue.role else ""
        yield f"{times}\n{speaker}{html.escape(_two_lines(cue.text), quote=False)}\n\n"


def lrc(found: Iterable[Cue], title: str) -> Iterator[str]:
    """LRC, for music players. An empty line ends what is shown during a long pause."""
    yield f"[ti:{' '.join(title.split())}]\n[re:tts-book]\n"
    stop_ms = 0
    for cue in found:
        if stop_ms and cue.start_ms - stop_ms > _LONG_PAUSE_MS:
            yield f"[{_lyric_time(stop_ms)}]\n"
        yield f"[{_lyric_time(cue.start_ms)}]{cue.text}\n"
        stop_ms = cue.stop_ms


_LONG_PAUSE_MS = 3_000
FORMATS: dict[str, Callable[[Iterable[Cue], str], Iterator[str]]] = {
    "srt": srt,
    "vtt": vtt,
    "lrc": lrc,
}


def _time(ms: int, mark: str) -> str:
    seconds = ms // 1_000
    clock = f"{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{clock}{mark}{ms % 1_000:03}"


def _lyric_time(ms: int) -> str:
    return f"{ms // 60_000:02}:{ms // 1_000 % 60:02}.{ms % 1_000 // 10:02}"


def _two_lines(text: str) -> str:
    if len(text) <= _LINE:
        return text
    blanks = [at for at, character in enumerate(text) if character == " "]
    middle = min(blanks, key=lambda at: abs(at - len(text) / 2), default=0)
    return f"{text[:middle]}\n{text[middle + 1 :]}" if middle else text


class Captioner:
    """Writes captions in the formats asked for. Those of the chapters are kept as JSON lines in
    a folder of unfinished files, for the whole book."""

    def __init__(self, formats: Sequence[str]) -> None:
        self._formats = formats
        self.guessed = False  # whether some engine gave no marks

    def begin(self, timeline: Timeline, splitter: Splitter) -> CueBuilder | None:
        """What makes the cues of a chapter, None where no captions are asked for."""
        return CueBuilder(timeline, splitter) if self._formats else None

    def write_chapter(
        self, built: CueBuilder, title: str, target: Path | None, kept: Path | None
    ) -> None:
        """Captions of one chapter: beside `target`, and for later in `kept`. Raises UserError."""
        self.guessed |= built.guessed
        if target is not None:
            for name in self._formats:
                _put(target, name, built.cues, title)
        if kept is not None:
            kept.write_text("".join(_line(cue) for cue in built.cues), "utf-8")

    def whole(self, volume: Volume, kept: Sequence[Path], title: str) -> None:
        """Captions of a whole-book file, from those of its chapters. Raises UserError."""
        for name in self._formats:
            _put(volume.path, name, _moved(volume, kept), title)

    def beside(self, target: Path) -> tuple[Path, ...]:
        """The captions of a file."""
        return caption_paths(target, self._formats)


def caption_paths(target: Path, formats: Sequence[str]) -> tuple[Path, ...]:
    """Where the captions of a file are."""
    return tuple(target.with_suffix(f".{name}") for name in formats)


def _put(target: Path, name: str, found: Iterable[Cue], title: str) -> None:
    with (
        atomic.replace_file(target.with_suffix(f".{name}")) as part,
        part.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.writelines(FORMATS[name](found, title))


def _line(cue: Cue) -> str:
    return json.dumps(astuple(cue), ensure_ascii=False) + "\n"


def _moved(volume: Volume, kept: Sequence[Path]) -> Iterator[Cue]:
    for mark, path in zip(volume.chapters, kept, strict=True):
        with path.open(encoding="utf-8") as file:
            for line in file:
                cue = Cue(*json.loads(line))
                start_ms, stop_ms = (ms + mark.start_ms for ms in (cue.start_ms, cue.stop_ms))
                yield replace(cue, start_ms=start_ms, stop_ms=stop_ms)
