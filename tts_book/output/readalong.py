"""When each sentence of a book is heard: the table behind the page and the EPUB that read along.

It is read from the record beside the output and the word times in the cache. Nothing is spoken,
joined or decoded for it. A chapter is held at a time: memory does not grow with the book.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tts_book.model import Break, Doubt, DoubtKind, Mark, Place
from tts_book.output.inspection.ear.proof import read_findings
from tts_book.output.inspection.lookup import nearest_ms, place_of, read_timing
from tts_book.output.manifest import Manifest, read_lines
from tts_book.text.sentences import Splitter

_PARAGRAPH = re.compile(r"[^\n]+(?:\n[^\n]+)*")
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class TimedWord:
    """Characters `start` to `stop` of a sentence's text, heard from `start_ms` of the file on."""

    start: int
    stop: int
    start_ms: int


@dataclass(frozen=True, slots=True)
class TimedSentence:
    """A sentence as it is printed, and when it is heard in its file. `words` is empty where the
    engine gave no times for words; the sentence's own times are estimates then. `said` is what was
    sent, where that differs. `chunk` is its chunk's number."""

    text: str
    start_ms: int
    stop_ms: int
    words: tuple[TimedWord, ...]
    chunk: int
    place: Place
    said: str = ""


@dataclass(frozen=True, slots=True)
class TimedParagraph:
    """Sentences that belong together; `after` is what follows them."""

    sentences: tuple[TimedSentence, ...]
    after: Break
    heading: bool = False


@dataclass(frozen=True, slots=True)
class ChunkStory:
    """How a chunk came to be: what a person needs who looks for a fault. `doubts` are one-line
    reasons for suspicion; `voice` is its role, if that is not the narrator, and its voice."""

    number: int
    attempts: int
    doubts: tuple[str, ...]
    estimated: bool
    voice: str


@dataclass(frozen=True, slots=True)
class TimedChapter:
    """A chapter with its audio file. All times are ms of that file, which begins with the chapter
    at `start_ms`."""

    number: int
    title: str
    file: Path
    start_ms: int
    duration_ms: int
    voice: str
    backend: str
    paragraphs: tuple[TimedParagraph, ...]
    chunks: tuple[ChunkStory, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Text of the source that is not read aloud: where it is, why, and its beginning."""

    chapter: int
    place: Place
    reason: str
    text: str


class ReadAlong:
    """A written book by its record."""

    def __init__(self, record: Manifest) -> None:
        self._record = record
        run = record.run
        self.title: str = run["title"]
        self.author: str = run.get("author") or ""
        self.language: str = run["language"]
        self.command: str = run.get("command") or ""
        self.voice: str = run["voice"].get("name") or ""
        self._splitter = Splitter(self.language)

    @property
    def path(self) -> Path:
        """The record itself."""
        return self._record.path

    @property
    def home(self) -> Path | None:
        """The folder in which `command` is given, if it is known."""
        return self._record.home

    @property
    def has_chapters(self) -> bool:
        """Whether any chapter is written."""
        return next(self._record.chapters(), None) is not None

    def left_out(self) -> tuple[LeftOut, ...]:
        """What is not read aloud, in order."""
        return tuple(
            LeftOut(chapter, Place(name, line, column, "" if line else name), reason, text)
            for skips in read_lines(self.path, "skips")
            for chapter, line, column, name, reason, text in skips["all"]
        )

    def chapters(self) -> Iterator[TimedChapter]:
        """The written chapters in order, one at a time."""
        takes = self._takes()
        stories = self._stories()
        heard = read_findings(self.path)
        order = sorted(
            (chapter["number"], at) for at, chapter in enumerate(self._record.chapters())
        )
        numbers = [number for number, _ in order]
        if numbers == [number for number, _ in sorted(order, key=lambda pair: pair[1])]:
            lines: Iterator[dict[str, Any]] = self._record.chapters()
        else:  # they were done in another order: held together, still without their sound
            lines = iter(sorted(self._record.chapters(), key=lambda chapter: chapter["number"]))
        for chapter in lines:
            yield self._chapter(chapter, takes.get(chapter["file"], ()), stories, heard)

    def _takes(self) -> dict[str, tuple[str, ...]]:
        return {
            made["file"]: tuple(take for take, *_ in made["taken"])
            for made in read_lines(self.path, "made")
            if isinstance(made.get("taken"), list)
        }

    def _stories(self) -> dict[tuple[int, int], dict[str, Any]]:
        return {
            (event["chapter"], event["chunk"]): event
            for event in read_lines(self.path, "event")
            if event["event"] == "ChunkDone" and (event["doubts"] or event["attempts"] > 1)
        }

    def _chapter(
        self,
        chapter: dict[str, Any],
        takes: Sequence[str],
        stories: dict[tuple[int, int], dict[str, Any]],
        heard: Mapping[tuple[int, int], tuple[str, ...]],
    ) -> TimedChapter:
        file, start_ms = self._record.file_of(chapter)
        paragraphs: list[TimedParagraph] = []
        chunks: list[ChunkStory] = []
        joins = False
        for at, chunk in enumerate(chapter["chunks"]):
            clock = _Clock(self._record, chapter, chunk, takes[at] if at < len(takes) else None)
            for paragraph in self._paragraphs(chunk, clock, start_ms):
                if joins and paragraphs:
                    before = paragraphs.pop()
                    paragraph = replace(paragraph, sentences=before.sentences + paragraph.sentences)
                paragraphs.append(paragraph)
                joins = False
            joins = chunk["after"] in (Break.SENTENCE, Break.VOICE)
            story = stories.get((chapter["number"], chunk["number"]), {})
            chunks.append(
                ChunkStory(
                    chunk["number"],
                    story.get("attempts", clock.attempts),
                    (
                        *(_read_doubts(story["doubts"]) if "doubts" in story else clock.doubts),
                        *heard.get((chapter["number"], chunk["number"]), ()),
                    ),
                    clock.is_estimated,
                    _describe_voice(chapter, chunk),
                )
            )
        return TimedChapter(
            chapter["number"],
            chapter["title"],
            file,
            start_ms,
            chapter["duration_ms"],
            chapter["voice"],
            chapter["backend"],
            tuple(_ended(paragraphs, start_ms + chapter["duration_ms"])),
            tuple(chunks),
        )

    def _paragraphs(
        self, chunk: dict[str, Any], clock: _Clock, begins_ms: int
    ) -> Iterator[TimedParagraph]:
        found = list(_PARAGRAPH.finditer(chunk["text"]))
        for paragraph in found:
            last = paragraph is found[-1]
            after = Break(chunk["after"]) if last else Break.PARAGRAPH
            sentences = tuple(
                clock.sentence(paragraph.start() + start, paragraph.start() + stop, begins_ms)
                for start, stop in self._splitter.spans(paragraph[0])
            )
            if sentences:
                yield TimedParagraph(sentences, after, heading=after is Break.HEADING)


def _describe_voice(chapter: dict[str, Any], chunk: dict[str, Any]) -> str:
    """Who reads a chunk: "dialogue: svetlana (edge)"."""
    reader = chunk if "voice" in chunk else chapter
    role = f"{chunk['role']}: " if "role" in chunk else ""
    return f"{role}{reader['voice']} ({reader['backend']})"


def _read_doubts(told: Sequence[Any]) -> tuple[str, ...]:
    """The doubts of a record as lines (version 0.1.0 wrote lines), without those about times, which
    every chunk of a voice has that gives none."""
    return tuple(
        doubt if isinstance(doubt, str) else str(Doubt(DoubtKind(doubt["kind"]), doubt["what"]))
        for doubt in told
        if isinstance(doubt, str) or doubt["kind"] != DoubtKind.TIMES
    )


class _Clock:
    """When the characters of a chunk are heard in the chapter's file."""

    def __init__(
        self, record: Manifest, chapter: dict[str, Any], chunk: dict[str, Any], take: str | None
    ) -> None:
        self._chunk = chunk
        self._pieces = [piece for piece in chapter["pieces"] if piece[0] == chunk["number"]]
        entry = record.entry_of(chunk["key"], take)
        self._timing = read_timing(entry, chunk, self._pieces)
        self._words = sorted(
            (mark for mark in self._timing.marks if mark.kind == "word"),
            key=lambda mark: (mark.start, mark.start_ms),
        )
        self._starts = [mark.start for mark in self._words]
        self.attempts = entry.attempts if entry else 1
        self.doubts = tuple(map(str, entry.doubts)) if entry else ()
        self.is_estimated = not self._words

    def sentence(self, start: int, stop: int, begins_ms: int) -> TimedSentence:
        """The sentence between two characters; `begins_ms` is where its chapter begins in the
        file. Its end is set when the next one is known."""
        chunk, text = self._chunk, self._chunk["text"][start:stop]
        words = tuple(
            TimedWord(
                max(mark.start, start) - start,
                min(mark.stop, stop) - start,
                begins_ms + nearest_ms(self._pieces, mark.start_ms),
            )
            for mark in self._within(start, stop)
        )
        first_ms = begins_ms + nearest_ms(self._pieces, self._timing.moment(start)[0])
        if words:
            first_ms = min(first_ms, words[0].start_ms)
        return TimedSentence(
            text,
            first_ms,
            first_ms,
            words,
            chunk["number"],
            place_of(chunk, start),
            self._said(start, stop),
        )

    def _within(self, start: int, stop: int) -> Iterator[Mark]:
        at = bisect_right(self._starts, start - 1)
        for mark in self._words[at:]:
            if mark.start >= stop:
                return
            if mark.stop > mark.start and _WORD.search(self._chunk["text"], mark.start, mark.stop):
                yield mark

    def _said(self, start: int, stop: int) -> str:
        """What was sent for these characters, "" where it is what is printed."""
        spoken, pairs = self._chunk.get("spoken"), self._chunk.get("alignment", ())
        if not spoken:
            return ""
        said = spoken[_led_on(pairs, start) : _led_on(pairs, stop)].strip()
        return said if said != self._chunk["text"][start:stop].strip() else ""


def _led_on(pairs: Sequence[Sequence[int]], position: int) -> int:
    """The offset of the spoken text for one of the printed text."""
    at = bisect_right(pairs, position, key=lambda pair: pair[1]) - 1
    return position + (pairs[at][0] - pairs[at][1] if at >= 0 else 0)


def _ended(paragraphs: list[TimedParagraph], end_ms: int) -> Iterator[TimedParagraph]:
    """The same with an end for each sentence: where the next one begins."""
    starts = [s.start_ms for paragraph in paragraphs for s in paragraph.sentences]
    at, latest_ms = 0, 0
    for paragraph in paragraphs:
        sentences = []
        for sentence in paragraph.sentences:
            at += 1
            start_ms = max(latest_ms, sentence.start_ms)
            stop_ms = max(start_ms, starts[at] if at < len(starts) else end_ms)
            latest_ms = start_ms
            sentences.append(replace(sentence, start_ms=start_ms, stop_ms=stop_ms))
        yield replace(paragraph, sentences=tuple(sentences))
