"""What the reader of each format returns, how it becomes a Book, and whether all of it is there."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tts_book.errors import UserError
from tts_book.model import Book, Chapter, Cover, Ledger, Skip, Source
from tts_book.text.announcements import UrlsAs, announce
from tts_book.text.chapters import divide_chapters
from tts_book.text.language import MARGIN, detect_language
from tts_book.text.language_tags import (
    LANGUAGE_NAMES,
    describe_language,
    parse_language_tag,
    primary_language,
)
from tts_book.text.normalize import Paragraph
from tts_book.text.speech_rate import estimate_ms

BUDGET_S = 5.0
"""For all lines of a book; any reasonable expression takes a few milliseconds."""


class ChapterPattern:
    """Whether a line begins as the expression says. `matched` counts the lines that did.

    Raises UserError for an expression that is none, or that takes too long.
    """

    def __init__(
        self,
        expression: str,
        budget_s: float = BUDGET_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        import regex

        self._expression = expression
        self._left_s, self._clock = budget_s, clock
        self.matched = 0
        try:
            self._pattern = regex.compile(expression)
        except (regex.error, OverflowError, RecursionError) as error:
            raise UserError(
                f'--chapters "{expression}" is not a regular expression: {error}'
            ) from None

    def __call__(self, line: str) -> bool:
        began_s = self._clock()
        try:
            found = self._pattern.match(line, timeout=max(self._left_s, 0.001)) is not None
        except TimeoutError:
            raise UserError(
                f'--chapters "{self._expression}" takes too long: repeat nothing that repeats '
                "itself, as (a+)+ does"
            ) from None
        self._left_s -= self._clock() - began_s
        self.matched += found
        return found


Split = Literal["auto", "headings", "none"]
NotesAt = Literal["skip", "inline", "end"]
CodeAs = Literal["announce", "read", "skip"]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The user's own word on a source; empty means that it is to be found out.

    `split`: "auto" and "headings" make chapters of a file's headings, "none" one chapter; in a
    folder "auto" makes one chapter of each file. `everything` keeps contents lists, notes and
    licences. `notes` are left out, read after the paragraph of their mark, or where they stand.
    `chapters` is a regular expression for the lines that begin chapters. `code`, which counts for
    formulas and figures too, is announced in a word or two, read, or skipped; `urls` are said as
    their host, as they are written, or not at all.
    """

    encoding: str = ""
    language: str = ""
    title: str = ""
    author: str = ""
    split: Split = "auto"
    everything: bool = False
    notes: NotesAt = "skip"
    chapters: str = ""
    code: CodeAs = "announce"
    urls: UrlsAs = "host"


@dataclass(frozen=True, slots=True)
class ParsedBook:
    """A file read: its text as the source, and its paragraphs, ready to be divided. `missing` are
    lines on parts of the book that the file should hold and does not, or only damaged."""

    source: Source
    text: str
    paragraphs: tuple[Paragraph, ...]
    title: str = ""
    author: str = ""
    language: str = ""
    cover: Cover | None = None
    encoding: str = ""
    notices: tuple[str, ...] = ()
    series: str = ""
    series_part: str = ""
    missing: tuple[str, ...] = ()


OPENING = {
    "ru": "Вступление",
    "uk": "Вступ",
    "be": "Уступ",
    "de": "Anfang",
    "fr": "Ouverture",
    "es": "Apertura",
    "it": "Apertura",
    "pl": "Wstęp",
    "pt": "Abertura",
    "cs": "Úvod",
}
_AFTERWORD = {
    "ru": "Послесловие", "uk": "Післямова", "be": "Пасляслоўе", "de": "Nachwort",
    "fr": "Postface", "es": "Epílogo", "it": "Postfazione", "pl": "Posłowie",
    "pt": "Posfácio", "cs": "Doslov", "nl": "Nawoord",
}  # fmt: skip
_PIECE = 1 << 20  # characters counted in one go, which Ctrl-C has to wait for
_CLEAR = 0.5  # a margin at which the text is believed rather than its metadata


def build_book(parsed: ParsedBook, stem: str, options: ReadOptions) -> Book:
    """The Book of one file. Raises UserError if it says nothing or in no language that can be
    told."""
    spoken = "\n\n".join(p.text for p in parsed.paragraphs if p.text)
    if not any(map(str.isalnum, spoken)):
        raise UserError(f"{parsed.source.name} has no words to read aloud")
    tag, told = choose_language(spoken, parsed.language, parsed.source.name, options.language)
    title = options.title or parsed.title or stem
    chapters = chapters_of(parsed, title, tag, options, split=options.split != "none")
    ledger = make_ledger(parsed.text, chapters)
    notices = [*parsed.notices, told, *remark_left_out(chapters, ledger)]
    if options.split != "none":
        notices += remark_long_chapters(chapters, tag)
    return Book(
        title=title,
        language=tag,
        chapters=chapters,
        author=options.author or parsed.author,
        cover=parsed.cover,
        notices=tuple(notice for notice in notices if notice),
        series=parsed.series,
        series_part=parsed.series_part,
        ledger=ledger,
        missing=parsed.missing,
    )


def chapters_of(
    parsed: ParsedBook, title: str, tag: str, options: ReadOptions, *, split: bool
) -> tuple[Chapter, ...]:
    """The chapters of one file, numbered from 1. Raises UserError where --chapters fits none."""
    is_chapter = ChapterPattern(options.chapters) if options.chapters and split else None
    found = _divided(parsed, title, tag, options, is_chapter, split=split)
    if is_chapter is not None and not is_chapter.matched:
        raise UserError(
            f'--chapters "{options.chapters}" matches no line of {parsed.source.name}: it must '
            "match from the beginning of a line, capitals included"
        )
    return found


def _divided(
    parsed: ParsedBook,
    title: str,
    tag: str,
    options: ReadOptions,
    is_chapter: ChapterPattern | None,
    *,
    split: bool,
) -> tuple[Chapter, ...]:
    return divide_chapters(
        parsed.source,
        parsed.text,
        announce(parsed.text, parsed.paragraphs, tag, options.urls),
        title=title,
        opening=OPENING.get(primary_language(tag), "Opening"),
        afterword=_AFTERWORD.get(primary_language(tag), "Afterword"),
        split=split,
        everything=options.everything,
        notes=options.notes == "end",
        is_chapter=is_chapter,
    )


def choose_language(text: str, known: str, name: str, wanted: str) -> tuple[str, str]:
    """The BCP 47 code to speak in, and a remark on where it comes from.

    Raises UserError where neither the user, the book nor its text says it clearly.
    """
    guess = detect_language(text)
    if wanted:
        tag = parse_language_tag(wanted)
        if guess.margin < _CLEAR or guess.language == primary_language(tag):
            return tag, ""
        looks, given = describe_language(guess.language), describe_language(tag)
        return tag, f"{name}: looks {looks}, but is read as {given}, as --language says"
    if known and (guess.margin < _CLEAR or primary_language(known) == guess.language):
        return known, f"language: {describe_language(known)}, as the book says"
    if guess.margin >= MARGIN:
        return guess.language, f"language: {describe_language(guess.language)}, from the text"
    if guess.language:
        choice = " or ".join(
            describe_language(tag) for tag in (guess.language, guess.second) if tag
        )
        hint = f"it may be {choice}; name it with --language {guess.language}"
    else:
        hint = f"{guess.why}; name it with --language CODE (ru, en, …)"
    raise UserError(f"{name}: its language is not clear: {hint}")


PICTURES = ("image/jpeg", "image/png", "image/jpg")
_LARGEST_COVER_BYTES = 16 * 1024 * 1024


def find_cover(data: bytes) -> Cover | None:
    """The cover that these bytes are, by their own word; None for other pictures, huge ones and
    what is none."""
    return None if len(data) > _LARGEST_COVER_BYTES else Cover.identify(data)


def find_language(tag: str) -> str:
    """`tag` as metadata writes it, in BCP 47; empty if it names no language."""
    by_name = {name.lower(): code for code, name in LANGUAGE_NAMES.items()}
    try:
        return parse_language_tag(by_name.get(tag.strip().lower(), tag))
    except UserError:
        return ""


# One-line remarks on a book that was read: what was left out, which chapters are too long.


_LARGE_SHARE = 0.02  # of a book left out: the user should know before hours are spoken
# Named however little it is: these are passages, not marks inside a line.
_PASSAGES = (
    "contents list", "notes", "Project Gutenberg", "code", "table", "picture", "page number",
    "index", "copyright",
)  # fmt: skip
_HOUR_MS = 3_600_000
_LONG_CHAPTER_MS = 3 * _HOUR_MS
_SHORT_BOOK_MS = _HOUR_MS // 2  # half of it is nothing to point out
_MOST_POINTED_OUT = 3
_CHAPTER = {"ru": "Глава", "uk": "Розділ", "be": "Раздзел", "de": "Kapitel", "fr": "Chapitre"}


def remark_left_out(chapters: Sequence[Chapter], ledger: Ledger) -> Iterator[str]:
    """A line on what was left out: always for whole passages, else where it is a good share."""
    sizes = count_by_reason(skip for chapter in chapters for skip in chapter.skips)
    share = sum(sizes.values()) / max(1, ledger.source)
    if share > _LARGE_SHARE:
        parts = ", ".join(f"{reason} ({size:,} characters)" for reason, size in sizes.items())
        yield f"left out: {share:.1%} of the text: {parts}; tts-book plan --skipped shows it"
        return
    passages = {r: size for r, size in sizes.items() if r.startswith(_PASSAGES)}
    if passages:
        parts = ", ".join(f"{reason} ({size:,} characters)" for reason, size in passages.items())
        yield f"left out: {parts}"


def remark_long_chapters(chapters: Sequence[Chapter], language: str) -> Iterator[str]:
    """A line on each chapter that takes hours or holds most of a book, with what to do."""
    lengths_ms = [estimate_ms(chapter.text, language) for chapter in chapters]
    total_ms = sum(lengths_ms)
    word = _CHAPTER.get(primary_language(language), "Chapter")
    pointed_out = 0
    for chapter, length_ms in zip(chapters, lengths_ms, strict=True):
        is_most = len(chapters) > 1 and 2 * length_ms > total_ms > _SHORT_BOOK_MS
        if length_ms <= _LONG_CHAPTER_MS and not is_most:
            continue
        pointed_out += 1
        if pointed_out > _MOST_POINTED_OUT:
            return
        hours, minutes = divmod(round(length_ms / 60_000), 60)
        share = f", {length_ms / total_ms:.0%} of the book" if len(chapters) > 1 else ""
        yield (
            f"chapter {chapter.number}, “{chapter.title}”, takes about {hours} h {minutes:02} min"
            f"{share}: if it holds several chapters, say how they begin, as with "
            f'--chapters "{word} \\d+"'
        )


# The ledger of a book: every non-blank character of its source is spoken or left out.


def make_ledger(source: str, chapters: Iterable[Chapter]) -> Ledger:
    """What became of the non-blank characters of `source`."""
    spoken = skipped = 0
    for chapter in chapters:
        runs = chapter.origin.runs
        spoken += sum(count_ink(source[r.source : r.source + (r.covers or r.length)]) for r in runs)
        skipped += sum(count_ink(skip.text) for skip in chapter.skips)
    return Ledger(count_ink(source), spoken, skipped)


def add_ledgers(ledgers: Iterable[Ledger]) -> Ledger:
    """The ledger of several sources together."""
    found = list(ledgers)
    return Ledger(
        sum(ledger.source for ledger in found),
        sum(ledger.spoken for ledger in found),
        sum(ledger.skipped for ledger in found),
    )


def count_by_reason(skips: Iterable[Skip]) -> dict[str, int]:
    """Non-blank characters left out for each reason, the most first."""
    sizes: Counter[str] = Counter()
    for skip in skips:
        sizes[skip.reason] += count_ink(skip.text)
    return {reason: size for reason, size in sizes.most_common() if size}


def count_ink(text: str) -> int:
    """Characters of `text` that are not blank."""
    pieces = (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))
    return sum(sum(map(len, piece.split())) for piece in pieces)
