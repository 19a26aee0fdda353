"""One-line remarks on a book that was read: what was left out, which chapters are too long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tts_book.model import Chapter, Ledger
from tts_book.text.coverage import count_by_reason
from tts_book.text.language_tags import primary_language
from tts_book.text.speech_rate import estimate_ms

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
