"""A written book is heard chunk by chunk, and what differs from its text is listed.

The sound is that of the finished files, not of the cache: what a listener gets is what counts.
What was heard is kept by the sound and the text, so that a second run hears only what is new. The
findings lie beside the manifest, for the page. `LiveProof` does the same with chunks that are only
just spoken.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tts_book.audio.decoder import (
    SPEECH_RATE_HZ,
    read_length_ms,
    read_samples,
    read_stretches,
)
from tts_book.model import Place
from tts_book.output.inspection.ear.comparison import (
    LEAST_WORDS,
    Difference,
    DifferenceKind,
    compare_words,
)
from tts_book.output.inspection.ear.pace import SpeechClock, join_words
from tts_book.output.inspection.ear.recognizer import Recognizer
from tts_book.output.inspection.lookup import place_of, redo_command
from tts_book.output.manifest import Manifest, book_folder, findings_path, read_file_states
from tts_book.synthesis import atomic
from tts_book.text.language_tags import primary_language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A pause beside a chunk belongs to it: a last sound may fade there.
_MARGIN_MS = 150
# Surer than this, the language of a sound is believed.
_SURE = 0.8
# A file that is not as long as it was when it was written by more than this has been changed.
_SAME_LENGTH_MS = 100
_LEAST_AROUND_MS, _MOST_AROUND_MS = 8_000, 60_000
_SHOWN_CHARACTERS = 160
_MORE = (DifferenceKind.ADDED, DifferenceKind.REPEATED)
# Goes up when the same words would be judged otherwise.
_FORM = 2


@dataclass(frozen=True, slots=True)
class HeardChunk:
    """What was heard of a chunk. Times are ms of `file`."""

    file: Path
    chapter: int
    chunk: int
    start_ms: int
    stop_ms: int
    differences: tuple[Difference, ...]
    place: Place
    language: str = ""
    """The language that was heard, where it is not the book's."""

    missing_sound: bool = False
    kept: bool = False
    redo: str = ""
    """The command that speaks it again."""

    @property
    def is_error(self) -> bool:
        """Whether something is wrong for sure."""
        return (
            self.missing_sound
            or bool(self.language)
            or any(difference.is_error for difference in self.differences)
        )

    @property
    def words(self) -> int:
        """How many words differ."""
        return sum(difference.words for difference in self.differences)


@dataclass(frozen=True, slots=True)
class ChunkToHear:
    """A chunk with the stretch of its file in which it is heard; `file_ms` is how long the file was
    when it was written."""

    file: Path
    file_ms: int
    chapter: int
    number: int
    start_ms: int
    stop_ms: int
    text: str
    line: dict[str, Any]
    redo: str


def list_chunks(manifest: Manifest) -> list[ChunkToHear]:
    """The chunks of a written book that a recogniser can judge, in order of the sound."""
    found = []
    chapters = sorted(manifest.chapters(), key=lambda chapter: int(chapter["number"]))
    for chapter in chapters:
        if chapter["backend"] == "silent":
            continue
        file, begins_ms = manifest.file_of(chapter)
        volume = None if file.name == chapter["file"] else manifest.volume(file)
        file_ms = (volume or chapter)["duration_ms"]
        spans = _spans(chapter["pieces"], chapter["duration_ms"])
        for chunk in chapter["chunks"]:
            number = chunk["number"]
            text = chunk.get("spoken") or chunk["text"]
            if number not in spans or len(text.split()) < LEAST_WORDS:
                continue
            start_ms, stop_ms = (begins_ms + ms for ms in spans[number])
            redo = redo_command(manifest.run, chapter, number)
            found.append(
                ChunkToHear(
                    file, file_ms, chapter["number"], number, start_ms, stop_ms, text, chunk, redo
                )
            )
    return found


def _spans(pieces: Sequence[Sequence[int]], end_ms: int) -> dict[int, tuple[int, int]]:
    """Where each chunk is heard, with half the pause on either side, but no more than a margin."""
    spans: dict[int, tuple[int, int]] = {}
    for number, file_ms, _, length_ms in pieces:
        start_ms, _ = spans.get(number, (file_ms, 0))
        spans[number] = (start_ms, file_ms + length_ms)
    order = sorted(spans, key=lambda number: spans[number])
    for at, number in enumerate(order):
        start_ms, stop_ms = spans[number]
        before_ms = spans[order[at - 1]][1] if at else 0
        after_ms = spans[order[at + 1]][0] if at + 1 < len(order) else end_ms
        spans[number] = (
            max(before_ms, start_ms - _MARGIN_MS, 0),
            min(max(stop_ms, after_ms - _MARGIN_MS), stop_ms + _MARGIN_MS),
        )
    return spans


def select_sample(chunks: Sequence[ChunkToHear], share: float) -> list[ChunkToHear]:
    """A part of the chunks, spread over the book, the same each time; one at least."""
    count = max(1, round(len(chunks) * share))
    if count >= len(chunks):
        return list(chunks)
    return [chunks[int((at + 0.5) * len(chunks) / count)] for at in range(count)]


def hear_chunks(
    chunks: Sequence[ChunkToHear], language: str, recognizer: Recognizer, kept: Path
) -> Iterator[HeardChunk]:
    """What is heard of each chunk, in order; `kept` is the folder of what was heard before. Holds
    the sound of a few chunks. Raises AudioError for a file that cannot be decoded."""
    with ThreadPoolExecutor(recognizer.workers, "ear") as threads:
        waiting: deque[Future[HeardChunk]] = deque()
        try:
            for chunk, sound in _sounds(chunks):
                waiting.append(threads.submit(_hear, chunk, sound, language, recognizer, kept))
                while len(waiting) > 2 * recognizer.workers or (waiting and waiting[0].done()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@dataclass(frozen=True, slots=True)
class _ChunkSound:
    """The samples of a chunk from `start` to `stop`, with those around it in a file whose sound may
    have moved."""

    samples: NDArray[np.float32]
    start: int
    stop: int

    @property
    def own(self) -> NDArray[np.float32]:
        """Where the chunk was when the file was written."""
        return self.samples[self.start : self.stop]

    @property
    def may_have_moved(self) -> bool:
        """Whether the chunk may be heard outside its place."""
        return self.start > 0 or self.stop < len(self.samples)


def _sounds(chunks: Sequence[ChunkToHear]) -> Iterator[tuple[ChunkToHear, _ChunkSound]]:
    at = 0
    while at < len(chunks):
        file, first = chunks[at].file, at
        while at < len(chunks) and chunks[at].file == file:
            at += 1
        part = chunks[first:at]
        around_ms = _find_shift(file, part[0].file_ms)
        stretches = ((max(0, c.start_ms - around_ms), c.stop_ms + around_ms) for c in part)
        for chunk, samples in zip(part, read_stretches(file, stretches), strict=True):
            start_ms = min(around_ms, chunk.start_ms)
            stop_ms = start_ms + chunk.stop_ms - chunk.start_ms
            yield (
                chunk,
                _ChunkSound(samples, *(ms * SPEECH_RATE_HZ // 1_000 for ms in (start_ms, stop_ms))),
            )


def _find_shift(file: Path, written_ms: int) -> int:
    """How far the chunks of a file may be from where they were: where something was cut out or put
    in, all that follows has moved."""
    shift_ms = abs(read_length_ms(file) - written_ms)
    return (
        max(_LEAST_AROUND_MS, min(shift_ms + _MARGIN_MS, _MOST_AROUND_MS))
        if (shift_ms > _SAME_LENGTH_MS)
        else 0
    )


def _hear(
    chunk: ChunkToHear,
    sound: _ChunkSound,
    language: str,
    recognizer: Recognizer,
    kept: Path,
) -> HeardChunk:
    expected_samples = (chunk.stop_ms - chunk.start_ms) * SPEECH_RATE_HZ // 1_000
    path = kept / f"{_key(chunk, sound, language, recognizer)}.json"
    found = _read_kept(path)
    is_kept = found is not None
    if found is None:
        found = judge_samples(sound.own, chunk.text, language, recognizer)
        if found[0] and sound.may_have_moved:
            found = judge_samples(sound.samples, chunk.text, language, recognizer, within=True)
        _keep(path, *found)
    differences, heard_language = found
    missing_sound = bool(differences) and len(sound.own) < expected_samples // 2
    return HeardChunk(
        chunk.file,
        chunk.chapter,
        chunk.number,
        chunk.start_ms,
        chunk.stop_ms,
        differences,
        _place(chunk, differences),
        heard_language,
        missing_sound,
        is_kept,
        chunk.redo,
    )


def judge_samples(
    samples: NDArray[np.float32],
    text: str,
    language: str,
    recognizer: Recognizer,
    *,
    within: bool = False,
) -> tuple[tuple[Difference, ...], str]:
    """What differs between a text and its sound, and the language that is heard where it is
    another. `within`: the sound may begin before the text and end after it."""
    heard = recognizer.transcribe(samples, language)
    compare = partial(compare_words, text, language=language, slight=True, within=within)
    suspected = compare(heard)
    if not suspected:
        return (), ""
    differences = _hear_again(samples, language, recognizer, compare, suspected)
    spoken = recognizer.detect_language(samples) if differences else None
    foreign = spoken and spoken.share >= _SURE and spoken.code != primary_language(language)
    return differences, spoken.code if spoken and foreign else ""


def _hear_again(
    samples: NDArray[np.float32],
    language: str,
    recognizer: Recognizer,
    compare: Callable[[str], tuple[Difference, ...]],
    suspected: Sequence[Difference],
) -> tuple[Difference, ...]:
    """What is still there when a chunk is heard with more care, before anything is said against
    it. Words that were heard once are in the sound. Those that are there twice may escape a long
    search, which likes fluent text: they are kept, unconfirmed, for a person's ear."""
    words = recognizer.transcribe_carefully(samples, language)
    clock = SpeechClock(samples, words)
    again = [replace(each, lacks_sound=clock.lacks(each)) for each in compare(join_words(words))]
    left = tuple(
        each
        for each in again
        if (each.lacks_sound or not each.is_slight)
        and (each.kind in _MORE or any(_overlap(each, other) for other in suspected))
    )
    return left or tuple(
        replace(each, confirmed=False) for each in suspected if each.is_long and each.kind in _MORE
    )


def _overlap(one: Difference, other: Difference) -> bool:
    return one.start < other.stop and other.start < one.stop


def _place(chunk: ChunkToHear, differences: Sequence[Difference]) -> Place:
    # What is spoken may differ from what is printed: the offset is right to the word in most cases,
    # and to the chunk in all.
    offset = differences[0].start if differences else 0
    return place_of(chunk.line, min(offset, max(0, len(chunk.line["text"]) - 1)))


# What was heard before ----------------------------------------------------------------------------


def _key(chunk: ChunkToHear, sound: _ChunkSound, language: str, recognizer: Recognizer) -> str:
    digest = hashlib.sha256(f"{_FORM}\0{recognizer.name}\0{language}\0{chunk.text}\0".encode())
    digest.update(sound.samples.tobytes())
    return digest.hexdigest()


def _read_kept(path: Path) -> tuple[tuple[Difference, ...], str] | None:
    try:
        value = json.loads(path.read_text("utf-8"))
        return tuple(Difference(**each) for each in value["differences"]), str(value["language"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _keep(path: Path, differences: Sequence[Difference], language: str) -> None:
    # A cache that takes nothing costs time, not the result.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replace_file(path) as part:
            value = {
                "differences": [
                    {name: getattr(each, name) for name in each.__slots__} for each in differences
                ],
                "language": language,
            }
            part.write_text(json.dumps(value, ensure_ascii=False), "utf-8")


# What the page shows ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said about a chunk of a file: one-line reasons, none where all is well."""

    file: str
    chapter: int
    chunk: int
    reasons: tuple[str, ...]


def save_findings(manifest: Manifest, heard: Sequence[HeardChunk]) -> None:
    """Keeps what differs beside the manifest, where the page shows it; earlier findings about other
    chunks stay."""
    _write_findings(
        manifest.path,
        [
            Finding(each.file.name, each.chapter, each.chunk, tuple(_reasons(each)))
            for each in heard
        ],
    )


def _reasons(heard: HeardChunk) -> Iterator[str]:
    if heard.missing_sound:
        yield "there is no sound for it in the file"
    yield from describe_differences(heard.differences, heard.language)


def describe_differences(differences: Iterable[Difference], language: str) -> Iterator[str]:
    """One-line reasons to listen to a chunk."""
    if language:
        yield f"it sounds like another language: {language}"
    for each in differences:
        expected, heard = shorten(each.expected), shorten(each.heard)
        yield f"{each.kind.value}: “{expected}”, heard: “{heard}”"


def shorten(text: str) -> str:
    """The text in one line of bounded length."""
    plain = " ".join(text.split())
    return plain if len(plain) <= _SHOWN_CHARACTERS else f"{plain[: _SHOWN_CHARACTERS - 1]}…"


def read_findings(manifest: Path) -> Mapping[tuple[int, int], tuple[str, ...]]:
    """Reasons by chapter and chunk, of the files that are still as they were heard."""
    return {
        (each.chapter, each.chunk): each.reasons
        for each in _read_findings(manifest)
        if each.reasons
    }


def _write_findings(manifest: Path, heard: Sequence[Finding]) -> None:
    """Keeps what was heard; earlier findings about other chunks stay. Raises UserError."""
    now = {(each.chapter, each.chunk): each for each in (*_read_findings(manifest), *heard)}
    kept = [each for each in now.values() if each.reasons]
    folder = book_folder(manifest)
    names = sorted({each.file for each in kept})
    states = read_file_states([folder / name for name in names if (folder / name).exists()])
    value = {
        "files": {Path(path).name: state for path, state in states.items()},
        "findings": [[each.file, each.chapter, each.chunk, *each.reasons] for each in kept],
    }
    path = findings_path(manifest)
    if not kept and not path.exists():
        return
    with atomic.replace_file(path) as part:
        part.write_text(json.dumps(value, ensure_ascii=False, indent=1), "utf-8")


def _read_findings(manifest: Path) -> list[Finding]:
    try:
        value: Any = json.loads(findings_path(manifest).read_text("utf-8"))
        found = [
            Finding(str(file), int(chapter), int(chunk), tuple(map(str, reasons)))
            for file, chapter, chunk, *reasons in value["findings"]
        ]
        files = dict(value["files"])
    except (OSError, ValueError, TypeError, KeyError):
        return []
    return [each for each in found if _is_unchanged(book_folder(manifest) / each.file, files)]


def _is_unchanged(path: Path, files: Mapping[str, object]) -> bool:
    try:
        (state,) = read_file_states([path]).values()
    except OSError:
        return False
    return files.get(path.name) == state


# While others are spoken --------------------------------------------------------------------------


class LiveProof:
    """Hears the frames of single chunks, in threads of its own. A context that ends them."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._threads = ThreadPoolExecutor(recognizer.workers, "ear")

    def __enter__(self) -> LiveProof:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def find_faults(self, frames: bytes, text: str, language: str) -> tuple[str, ...]:
        """One-line reasons why this is not the text, none where it is. Raises AudioError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._hear, frames, text, language)

    def _hear(self, frames: bytes, text: str, language: str) -> tuple[str, ...]:
        samples = read_samples(io.BytesIO(frames))
        differences, spoken = judge_samples(samples, text, language, self._recognizer)
        wrong = [each for each in differences if each.is_error]
        return tuple(describe_differences(wrong, spoken)) if wrong or spoken else ()
