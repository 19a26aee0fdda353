"""A book with everything decided, and its chapters, each with its chunks, keys and file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from tts_book.audio.file_tags import Tags
from tts_book.audio.timeline import find_text_offset
from tts_book.backends import Backend
from tts_book.model import Chapter, Chunk, Pauses, Plan, Voice
from tts_book.output.paths import Layout
from tts_book.output.stitcher import ChapterSound
from tts_book.pipeline.selection import EVERYTHING, Selection
from tts_book.pipeline.source import BookRequest
from tts_book.pipeline.voice_selection import ChosenVoice
from tts_book.synthesis.chunk_cache import make_key
from tts_book.text.sentences import Splitter


@dataclass(frozen=True)
class BookJob:
    """A book with everything decided. `keys[i]` is the cache key of `plan.chunks[i]`, `number` is
    its place in the run, from 1.

    Only the chapters and chunks of `only` are spoken and written, where it names any; the keys of
    `redo` are spoken again although they are there. An `excerpt` has nothing but those chunks.

    `voices` are those of chapters in another language than the book's, by language; `readers` those
    of roles, by language and role.
    """

    request: BookRequest
    plan: Plan
    cast: ChosenVoice
    keys: tuple[str, ...]
    layout: Layout
    only: Selection = EVERYTHING
    redo: frozenset[str] = frozenset()
    excerpt: bool = False
    number: int = 1
    voices: Mapping[str, ChosenVoice] = field(default_factory=dict)
    readers: Mapping[tuple[str, str], ChosenVoice] = field(default_factory=dict)

    def reader_of(self, chunk: Chunk) -> ChosenVoice:
        """The voice of a chunk: that of its role, else the narrator's."""
        language = self.request.book.language
        return self.readers.get((language, chunk.role), self.cast) if chunk.role else self.cast

    def asks_for(self, chunk: Chunk) -> bool:
        """Whether the chunk is to be spoken; the others are only taken from the cache."""
        return not self.only or self.only.names(chunk)

    @cached_property
    def chapters(self) -> tuple[ChapterJob, ...]:
        """All chapters in order; of an excerpt, those that it touches."""
        return tuple(self._list_chapters())

    @property
    def asked_chapters(self) -> tuple[ChapterJob, ...]:
        """The chapters that are asked for."""
        return tuple(chapter for chapter in self.chapters if chapter.asked)

    def _list_chapters(self) -> Iterator[ChapterJob]:
        chunks, first = self.plan.chunks, 0
        for chapter in self.request.book.chapters:
            last = first
            while last < len(chunks) and chunks[last].chapter == chapter.number:
                last += 1
            asked = not self.only or chapter.number in self.only.touched
            begin, end = first, last
            if self.excerpt:
                wanted = [at for at in range(first, last) if self.asks_for(chunks[at])]
                asked = bool(wanted)
                begin, end = (wanted[0], wanted[-1] + 1) if wanted else (first, first)
            if asked or not self.excerpt:
                job = self._by_language.get(chapter.language, self)
                yield ChapterJob(job, chapter, chunks[begin:end], self.keys[begin:end], asked)
            first = last

    @cached_property
    def _by_language(self) -> dict[str, BookJob]:
        """The same book as it is for chapters in other languages: in theirs, by their voices."""
        found = {}
        for language, chosen in self.voices.items():
            book = replace(self.request.book, language=language)
            request, plan = replace(self.request, book=book), replace(self.plan, book=book)
            found[language] = replace(self, request=request, plan=plan, cast=chosen, voices={})
        return found

    @cached_property
    def splitter(self) -> Splitter:
        """What finds the sentences of the book."""
        return Splitter(self.request.book.language)

    @property
    def tags(self) -> Tags:
        """What players show of a file that holds the whole book."""
        book = self.request.book
        return Tags(
            title=book.title,
            album=book.title,
            artist=book.author,
            narrator=self.cast.voice.name,
            language=book.language,
            cover=book.cover,
            owner=self.layout.owner,
            year=book.year,
            series=book.series,
            series_part=book.series_part,
        )


@dataclass(frozen=True, slots=True)
class ChapterJob:
    """A chapter of a book with its chunks and their cache keys; `asked`: it is to be written."""

    job: BookJob
    chapter: Chapter
    chunks: tuple[Chunk, ...]
    keys: tuple[str, ...]
    asked: bool = True

    @property
    def number(self) -> int:
        """The chapter's number in the book."""
        return self.chapter.number

    @property
    def target(self) -> Path:
        """Where its file is written, or would be if chapters were kept."""
        return self.job.layout.targets[self.number - 1]

    @property
    def tags(self) -> Tags:
        """What players show of its file."""
        request, count = self.job.request, len(self.job.request.book.chapters)
        # A text without a title of its own is called after its file, which says less than its
        # heading.
        has_title = count == 1 and request.book.title != request.stem
        title = request.book.title if has_title else self.chapter.title
        return replace(self.job.tags, title=title, track=self.number, tracks=count)

    @property
    def voice(self) -> tuple[int, str]:
        """What sets its voice apart in the run: those of a book share one gain."""
        return self.job.number, self.job.cast.voice.name

    def begin_sound(self, pauses: Pauses) -> ChapterSound:
        """What its segments are gathered in."""
        return ChapterSound(pauses, self.job.splitter)

    def locate(self, chunk: Chunk, spoken: int = 0) -> str:
        """Where a character of a chunk, as it is spoken, stands in the source; its first one if
        none is named."""
        at = min(find_text_offset(chunk.alignment, spoken), max(0, len(chunk.text) - 1))
        return str(self.chapter.origin.place(chunk.start + at))


def make_keys(plan: Plan, voice: Voice, backend: Backend) -> tuple[str, ...]:
    """The cache keys of a plan's chunks, spoken by this voice."""
    known = backend.fingerprint(voice)
    return tuple(make_key(backend, voice, chunk.spoken, known) for chunk in plan.chunks)
