"""What must be true of any text: nothing of it is lost or said twice, and no limit is passed."""

from __future__ import annotations

import hashlib
import sys
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.ledger import find_ledger_gaps
from tts_book import readers
from tts_book.audio import file_tags
from tts_book.backends.edge import protocol
from tts_book.backends.piper.text_rules import split_paragraph
from tts_book.cli import report, words
from tts_book.model import Book, Break, Chapter, Chunk, Plan, Voice
from tts_book.output.paths import lay_out_book
from tts_book.readers import ReadOptions
from tts_book.readers.book import build_book
from tts_book.text import chunker
from tts_book.text.chunker import MAX_CHARACTERS, MAX_ESCAPED_BYTES, MAX_ESTIMATED_MS
from tts_book.text.pronunciation import Pronunciations
from tts_book.text.sentences import split_in_half
from tts_book.text.speech_rate import estimate_ms
from tts_book.text.spoken_text import Readings, apply_readings

EDGE = Voice("aria", "edge", "en-US-AriaNeural", "en-US")
PIPER = Voice("joe", "piper", "en_US-joe-medium", "en-US")
_LONGEST_CLUSTER = 400  # characters; a letter with more marks than that may be cut


@dataclass(frozen=True, slots=True)
class Case:
    """A made-up file. `speaks`: it must be read, whatever is in it."""

    kind: str
    format: str
    name: str
    data: bytes = field(repr=False)
    options: ReadOptions
    spellings: dict[str, str] = field(repr=False)
    speaks: bool = False


def read(case: Case) -> tuple[Book, str]:
    """The book and the text of its source. Raises UserError."""
    # As `readers.read_bytes` does it, which keeps the source's text to itself.
    found = readers._parse_bytes(case.data, case.name, case.options)
    return build_book(found, readers.stem(case.name), case.options), found.text


def digest(plan: Plan) -> str:
    """Equal for two plans that are equal."""
    book, found = plan.book, hashlib.sha256()
    for value in (book.title, book.language, book.ledger, book.notices, *plan.chunks):
        found.update(repr(value).encode("utf-8", "backslashreplace"))
    for chapter in book.chapters:
        found.update(
            repr((chapter.title, chapter.breaks, chapter.skips)).encode("utf-8", "backslashreplace")
        )
    return found.hexdigest()


def wrong(case: Case, book: Book, text: str, plan: Plan, *, thorough: bool) -> Iterator[str]:
    """What is wrong with the plan of a text, a line each."""
    yield from _wrong_ledger(book, text)
    for number, chapter in enumerate(book.chapters, 1):
        if chapter.number != number:
            yield f"chapter {number} has the number {chapter.number}"
        chunks = tuple(plan.of_chapter(number))
        yield from _wrong_chapter(chapter)
        yield from _wrong_chunks(chapter, chunks)
        yield from _wrong_edges(chapter, chunks)
    for chunk in plan.chunks:
        yield from _wrong_limits(chunk, book.language)
    for voice in (EDGE, PIPER):
        yield from _wrong_saying(case, plan, voice)
    for chunk in plan.chunks[:: 1 if thorough else 20]:
        yield from _wrong_pieces(chunk.spoken)
    yield from _wrong_names(book)
    if thorough:
        "\n".join([*report.list_skipped(book), *report.list_skipped_json(book)])
        tomllib.loads("\n".join(words.list_words(book)))


def _wrong_ledger(book: Book, text: str) -> Iterator[str]:
    if not book.ledger.adds_up:
        yield f"the ledger does not add up: {book.ledger}"
    runs = (run for chapter in book.chapters for run in chapter.origin.runs)
    skips = (skip for chapter in book.chapters for skip in chapter.skips)
    for start, stop in find_ledger_gaps(text, runs, skips)[:3]:
        near = text[max(0, start - 30) : stop + 30]
        yield f"characters {start} to {stop} of the source are lost or told twice, in {near!r:.200}"


def _wrong_chapter(chapter: Chapter) -> Iterator[str]:
    text, number = chapter.text, chapter.number
    if not chapter.title.strip():
        yield f"chapter {number} has no title"
    if not unicodedata.is_normalized("NFC", text):
        yield f"chapter {number} is not NFC"
    odd = {c for c in set(text) if unicodedata.category(c) in ("Cc", "Cs") and c != "\n"}
    if odd:
        yield f"chapter {number} holds {odd!r}"
    if text != text.strip() or "\n\n\n" in text or any(p != p.strip() for p in text.split("\n\n")):
        yield f"chapter {number} has blanks where none should be"
    places = [at.offset for at in chapter.breaks]
    if places != sorted(set(places)) or (places and not 0 < places[-1] <= len(text)):
        yield f"chapter {number} has its breaks at {places}"
    for run, after in pairwise(chapter.origin.runs):
        if run.start + run.length > after.start:
            yield f"chapter {number} has runs over each other at {after.start}"


def _wrong_chunks(chapter: Chapter, chunks: tuple[Chunk, ...]) -> Iterator[str]:
    """Whether they cover the chapter, in order, and cross none of its breaks."""
    end = 0
    for number, chunk in enumerate(chunks, 1):
        where = f"chunk {chapter.number}/{number}"
        if chunk.number != number or chunk.chapter != chapter.number:
            yield f"{where} has the number {chunk.chapter}/{chunk.number}"
        if chapter.text[end : chunk.start].strip() or chunk.start < end:
            yield f"{where} begins at {chunk.start}, the one before ends at {end}"
        if chunk.text != chapter.text[chunk.start : chunk.stop] or chunk.text != chunk.text.strip():
            yield f"{where} is not what stands there"
        if not chunk.text:
            yield f"{where} is empty"
        end = chunk.stop
    if chapter.text[end:].strip():
        yield f"the end of chapter {chapter.number} is in no chunk"
    if chunks and (
        chunks[-1].after is not Break.CHAPTER or any(c.after is Break.CHAPTER for c in chunks[:-1])
    ):
        yield f"chapter {chapter.number} does not end where it ends"
    starts = {chunk.start: chunk.stop for chunk in chunks}
    for at in chapter.breaks:
        start = max((s for s in starts if s < at.offset), default=0)
        if starts.get(start, 0) > at.offset:
            yield f"chunk {chapter.number} from {start} crosses the {at.kind} at {at.offset}"


def _wrong_edges(chapter: Chapter, chunks: tuple[Chunk, ...]) -> Iterator[str]:
    """Whether a letter is cut off its marks."""
    text = chapter.text
    for chunk in chunks:
        at = chunk.stop
        if at < len(text) and unicodedata.category(text[at]) in ("Mn", "Mc", "Me"):
            before = text[max(0, at - _LONGEST_CLUSTER) : at]
            if not all(unicodedata.category(c)[0] in "MC" for c in before[1:]):
                yield f"chapter {chapter.number} is cut before a mark at {at}"


def _wrong_limits(chunk: Chunk, language: str) -> Iterator[str]:
    where = f"chunk {chunk.chapter}/{chunk.number}"
    if len(chunk.text) > MAX_CHARACTERS:
        yield f"{where} has {len(chunk.text)} characters"
    size = chunker.escaped_bytes(chunk.text)
    if size > MAX_ESCAPED_BYTES:
        yield f"{where} has {size} bytes"
    ms = estimate_ms(chunk.text, language)
    if ms > MAX_ESTIMATED_MS:
        yield f"{where} takes {ms} ms"


def _wrong_saying(case: Case, plan: Plan, voice: Voice) -> Iterator[str]:
    """Whether what is said instead covers the text, too, and fits into a request."""
    if not case.spellings:
        return
    manner = Readings(Pronunciations(None, {"": case.spellings}), lambda: None)
    made = apply_readings(plan, voice, manner)
    for chapter in plan.book.chapters:
        yield from _wrong_chunks(chapter, tuple(made.of_chapter(chapter.number)))
    for chunk in made.chunks:
        where = f"chunk {chunk.chapter}/{chunk.number} as it is said"
        size = chunker.escaped_bytes(chunk.spoken)
        if size > MAX_ESCAPED_BYTES:
            yield f"{where} has {size} bytes"
        pairs = chunk.alignment
        if any(a[0] > b[0] or a[1] > b[1] for a, b in pairwise(pairs)):
            yield f"{where} is aligned out of order"
        if pairs and len(chunk.spoken) - pairs[-1][0] != len(chunk.text) - pairs[-1][1]:
            yield f"{where} is aligned beyond its end"


def _wrong_pieces(text: str) -> Iterator[str]:
    """Whether the parts that backends make of a chunk are all of it, and can be sent."""
    parts = split_in_half(text)
    if parts:
        left, at, right = parts
        if text[:at].rstrip() != left or text[at:] != right:
            yield f"{text!r:.80} is not its halves"
    end = 0
    for piece in split_paragraph(text):
        between = text[end : piece.start]
        if piece.start < end or any(map(str.isalnum, between)):
            yield f"{between!r:.80} is in no piece for Piper"
        end = piece.stop
    if any(map(str.isalnum, text[end:])):
        yield f"{text[end:]!r:.80} is in no piece for Piper"
    name = protocol.parse_voice_name(EDGE.id)
    assert name is not None
    speakable = protocol.clean_text(text)
    if ElementTree.fromstring(protocol.ssml(speakable, name, EDGE))[0][0].text != speakable:
        yield f"{text!r:.80} comes out of its SSML as another text"
    if protocol.count_bytes(speakable) > protocol.MOST_TEXT_BYTES:
        yield f"{text!r:.80} is too long for the online service"


def _wrong_names(book: Book) -> Iterator[str]:
    """Whether every chapter gets a file and tags of its own."""
    places = lay_out_book(book, "book", Path("book.txt"), Path("out"), Path.cwd(), ("mp3", "m4b"))
    names = [path.name for path in places.files]
    if len({name.casefold() for name in names}) != len(names):
        yield "two chapters have the same file"
    if any(len(name.encode()) > 255 or not name.isprintable() for name in names):
        yield "a file has a name that no disk takes"
    for chapter in book.chapters[:3]:
        file_tags.render_id3(file_tags.Tags(chapter.title, book.title, book.author), 1_000)
