"""A chapter's segments and pauses become one MP3 file: frames are copied, silence is set between
them, and the file appears whole or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path

from tts_book import audio
from tts_book.audio import file_tags, mp3_files
from tts_book.audio.file_tags import Level, Tags
from tts_book.audio.timeline import FrameSpan, Timeline, TimelineBuilder
from tts_book.errors import AudioError
from tts_book.model import Doubt, Entry, Pauses, Segment, Sound
from tts_book.synthesis import atomic, chunk_cache
from tts_book.text.sentences import Splitter

_LEAST_REST = 2  # frames of silence after which a decoder has forgotten what came before


@dataclass(frozen=True, slots=True)
class StitchedChapter:
    """A written file: `frames` of sound, `bytes` with tags. `starts_ms` is where the speech of
    each segment begins in it, in players that take off the decoder's delay, as the file tells
    them to. `timeline` leads from any frame of a segment to its place in the file, `gain_steps` is
    the gain that could be applied without clipping, and `meter` knows the level without it."""

    path: Path
    duration_ms: int
    frames: int
    bytes: int
    starts_ms: tuple[int, ...]
    timeline: Timeline
    gain_steps: int = 0
    meter: audio.Meter = field(default_factory=audio.Meter, compare=False)


@dataclass(frozen=True, slots=True)
class UsedEntry:
    """What is kept of a segment: which `take` of its words it is, how long its sound is, and how it
    came about."""

    take: str
    duration_ms: int
    attempts: int = 1
    doubts: tuple[Doubt, ...] = ()


class ChapterSound:
    """What a chapter's file is made of, gathered segment by segment: how they follow one another,
    how loud they are, and where their frames are. Holds a few numbers of each, no words and no
    sound, so that a chapter may have any length. The `splitter` finds their sentences."""

    def __init__(self, pauses: Pauses, splitter: Splitter) -> None:
        self.used: list[UsedEntry] = []
        self._pauses, self._splitter = pauses, splitter
        self._places: list[tuple[Path, int, float | None]] = []
        self._roles: list[str] = []
        self._meters: dict[str, audio.Meter] = {}
        self._first: tuple[Sound, audio.Format, TimelineBuilder] | None = None
        self._timeline: Timeline | None = None

    def add(self, segment: Segment) -> None:
        """One more segment at the end. Raises AudioError where it cannot be joined to the rest."""
        entry, sound = segment.entry, segment.entry.sound
        if self._first is None:
            form = audio.format_at(_read_start(entry.path, 4))
            least_rest = max(_LEAST_REST, audio.most_carriers(form))
            self._first = sound, form, TimelineBuilder(self._pauses, least_rest, self._splitter)
        first, _, builder = self._first
        if _frame_kind(sound) != _frame_kind(first):
            raise AudioError(
                f"Chunk {segment.chunk.number} of chapter {segment.chunk.chapter} has "
                f"{sound.rate_hz} Hz sound in frames of {sound.frame_bytes} bytes, the chunks "
                f"before it {first.rate_hz} Hz in {first.frame_bytes}: these cannot be joined."
            )
        if entry.frames_bytes != sound.frames * sound.frame_bytes:
            raise AudioError(f"The spoken chunk in {entry.path} is not whole.")
        builder.add(segment)
        role = segment.chunk.role
        self._roles.append(role)
        self._meters.setdefault(role, audio.Meter()).add(sound)
        self._places.append((entry.path, entry.frames_bytes, sound.peak_dbfs))
        self.used.append(UsedEntry(entry.take, sound.duration_ms, entry.attempts, entry.doubts))

    @property
    def meter(self) -> audio.Meter:
        """The level of all segments, with every voice as loud as the narrator's."""
        steps, whole = self._role_steps(), audio.Meter()
        for role, meter in self._meters.items():
            whole.join(meter.shifted(steps[role] * audio.GAIN_STEP_DB) if steps[role] else meter)
        return whole

    def _role_steps(self) -> dict[str, int]:
        """The gain that makes each voice of the chapter as loud as its narrator's."""
        narrator = self._meters.get("")
        others = (meter.loudness_lufs for meter in (narrator, *self._meters.values()) if meter)
        aim = next((lufs for lufs in others if lufs is not None), None)
        return {
            role: 0
            if aim is None or meter.loudness_lufs is None
            else round((aim - meter.loudness_lufs) / audio.GAIN_STEP_DB)
            for role, meter in self._meters.items()
        }

    @property
    def timeline(self) -> Timeline:
        """How the segments follow one another; none can be added once it was asked for."""
        if self._timeline is None:
            self._timeline = self._begun()[2].finish()
        return self._timeline

    def _begun(self) -> tuple[Sound, audio.Format, TimelineBuilder]:
        if self._first is None:
            raise AudioError("A chapter without segments has no sound.")
        return self._first

    def write(
        self,
        target: Path,
        *,
        tags: Tags,
        gain_steps: int = 0,
        watch: Callable[[int, Entry], None] | None = None,
        replace: Callable[[Path, Path], None] = os.replace,
        sleep: Callable[[float], None] = time.sleep,
    ) -> StitchedChapter:
        """Writes the segments, in order, as the file `target`. Reads each entry once and holds one
        segment's sound at a time; `watch` is called with the number and the entry of each.

        `gain_steps` (of 1.5 dB) make it louder or softer without loss, never so that it clips:
        frames that would are made louder by less.
        Raises UserError where the file cannot be written, AudioError where a segment is not what it
        was.
        """
        timeline, meter = self.timeline, self.meter
        first, form, _ = self._begun()
        front = _make_front(timeline.frames, form, tags, _level_of(meter, gain_steps))
        expected = len(front) + timeline.frames * form.frame_bytes
        body = chain([front], self._body(form, gain_steps, watch))
        atomic.write_file(target, body, expected, replace, sleep)
        delay_ms = round(audio.DELAY * 1_000 / first.rate_hz)
        return StitchedChapter(
            path=target,
            duration_ms=_to_ms(timeline.frames, first),
            frames=timeline.frames,
            bytes=expected,
            starts_ms=tuple(max(0, _to_ms(frame, first) - delay_ms) for frame in timeline.speech),
            timeline=timeline,
            gain_steps=gain_steps,
            meter=meter,
        )

    def _body(
        self, form: audio.Format, gain_steps: int, watch: Callable[[int, Entry], None] | None
    ) -> Iterator[bytes | memoryview]:
        """The frames of the file, in blocks."""
        by_role = self._role_steps()
        for number, pieces in groupby(self.timeline.pieces, key=attrgetter("segment")):
            path, _, peak_dbfs = self._places[number]
            steps = gain_steps + by_role[self._roles[number]]
            frames = self._read_frames(number, watch)
            if not audio.is_uniform(frames, form):
                raise AudioError(f"The spoken chunk in {path} is damaged: delete that file.")
            loud = peak_dbfs is not None and _peak_after(peak_dbfs, steps) > audio.PEAK_DBFS
            amplify = audio.amplify_limited if loud and steps > 0 else audio.amplify
            yield from _write_segment(amplify(frames, steps, form), pieces, form)
        yield form.silence * self.timeline.end_rest

    def _read_frames(self, number: int, watch: Callable[[int, Entry], None] | None) -> bytes:
        """The frames that the timeline was made of, and no others: another run may have spoken the
        same again meanwhile. An entry of no cache has no name to know its take by."""
        path, frames_bytes, _ = self._places[number]
        take = self.used[number].take
        if not take:
            return _read_start(path, frames_bytes)
        try:
            found = chunk_cache.read_entry(path, take)
        except OSError as error:
            raise _unreadable_entry(path, error) from error
        if found is None:
            raise AudioError(f"The spoken chunk in {path} has changed meanwhile: run this again.")
        entry, frames = found
        if watch is not None:
            watch(number, entry)
        return bytes(frames)


def stitch_chapter(
    segments: Sequence[Segment],
    target: Path,
    *,
    pauses: Pauses,
    tags: Tags,
    language: str = "",
    gain_steps: int | Callable[[audio.Meter], int] = 0,
    replace: Callable[[Path, Path], None] = os.replace,
    sleep: Callable[[float], None] = time.sleep,
) -> StitchedChapter:
    """Writes these segments as the file `target`; see `ChapterSound`. Their sentences are found by
    the rules of their `language`; `gain_steps` may be asked for when the level of all segments is
    known."""
    if not segments:
        raise AudioError(f"{target.name} would have no sound: it has no segments.")
    sound = ChapterSound(pauses, Splitter(language))
    for segment in segments:
        sound.add(segment)
    steps = gain_steps if isinstance(gain_steps, int) else gain_steps(sound.meter)
    return sound.write(target, tags=tags, gain_steps=steps, replace=replace, sleep=sleep)


def relabel_chapter(
    path: Path, frames: int, target: Path, *, tags: Tags, meter: audio.Meter, gain_steps: int
) -> None:
    """Writes the sound of a finished file (see `StitchedChapter`) as the file
    `target`, with other tags: the same bytes as if it were stitched again. Raises AudioError where
    that file is another, UserError where `target` cannot be written."""
    form = mp3_files.read_format(path, frames)
    front = _make_front(frames, form, tags, _level_of(meter, gain_steps))
    size = frames * form.frame_bytes
    blocks = chain([front], mp3_files.read_end(path, size))
    atomic.write_file(target, blocks, len(front) + size)


def _frame_kind(sound: Sound) -> tuple[int, int, int]:
    return sound.rate_hz, sound.frame_bytes, sound.samples_per_frame


def _level_of(meter: audio.Meter, steps: int) -> Level | None:
    """How loud the file is, gain included."""
    loudness_lufs, peak_dbfs = meter.loudness_lufs, meter.peak_dbfs
    if loudness_lufs is None or peak_dbfs is None:
        return None
    return Level(
        loudness_lufs + steps * audio.GAIN_STEP_DB,
        min(_peak_after(peak_dbfs, steps), max(audio.PEAK_DBFS, peak_dbfs)),
    )


def _peak_after(peak_dbfs: float, steps: int) -> float:
    return peak_dbfs + steps * audio.GAIN_STEP_DB


def _to_ms(frames: int, sound: Sound) -> int:
    return round(frames * sound.samples_per_frame * 1_000 / sound.rate_hz)


def _read_start(path: Path, size: int) -> bytes:
    """The first `size` bytes of a cache entry."""
    try:
        with path.open("rb", buffering=0) as file:
            data = file.read(size)
    except OSError as error:
        raise _unreadable_entry(path, error) from error
    if len(data) != size:
        raise AudioError(f"The spoken chunk in {path} is cut: delete that file, run this again.")
    return data


def _unreadable_entry(path: Path, error: OSError) -> AudioError:
    return AudioError(
        f"The spoken chunk in {path} cannot be read ({error.strerror}): run this again."
    )


def _make_front(frames: int, form: audio.Format, tags: Tags, level: Level | None) -> bytes:
    duration_ms = round(frames * form.samples * 1_000 / form.rate_hz)
    return file_tags.render_id3(tags, duration_ms, level) + audio.info_frame(form, frames)


def _write_segment(
    frames: bytes, pieces: Iterator[FrameSpan], form: audio.Format
) -> Iterator[bytes | memoryview]:
    size = form.frame_bytes
    view = memoryview(frames)
    for piece in pieces:
        carried = audio.carriers(frames, piece.start, form)
        silent = piece.rest - len(carried) // size
        if silent < 0:
            raise AudioError(f"There is no room to cut at frame {piece.start}.")
        yield form.silence * silent + carried
        yield view[piece.start * size : piece.stop * size]
