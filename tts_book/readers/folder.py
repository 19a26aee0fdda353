"""A folder of texts as one book."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tts_book.errors import UserError
from tts_book.model import Book, Chapter
from tts_book.readers.book import ParsedBook, ReadOptions, chapters_of, choose_language
from tts_book.text.chapters import make_titles_unique
from tts_book.text.coverage import add_ledgers, make_ledger
from tts_book.text.language import detect_language
from tts_book.text.language_tags import describe_language, primary_language

SUFFIXES = frozenset((".txt", ".text", ".md", ".markdown", ".mdown", ".mkd"))
BOOKS = (
    ".epub", ".fb2", ".fb2.zip", ".docx", ".pdf", ".mobi", ".azw", ".azw3", ".odt", ".rtf",
)  # fmt: skip
_NO_BOOKS = re.compile(r"(?:readme|licen[cs]e|copying|changelog|contributing|прочти)\b", re.I)
_CLEAR = 0.3  # a margin at which a file's language is worth comparing with its neighbours'


@dataclass(frozen=True, slots=True)
class Folder:
    """The book of a folder, the files that it was read from, and those that could not be read,
    each with the reason."""

    book: Book
    sources: tuple[Path, ...]
    unread: tuple[tuple[Path, str], ...]


def natural(path: Path) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts 2 before 10."""
    pieces = re.findall(r"\d+|\D+", path.name.casefold())
    return tuple((0, int(p), p) if p.isdecimal() else (1, 0, p) for p in pieces)


def texts_in(folder: Path) -> list[Path]:
    """The texts directly in `folder`, in natural order. Raises UserError if it is none."""
    return sorted((path for path in _files_in(folder) if _is_text(path)), key=natural)


def books_in(folder: Path) -> list[Path]:
    """The e-books directly in `folder`, in natural order. Raises UserError if it is none."""
    found = (path for path in _files_in(folder) if path.name.lower().endswith(BOOKS))
    return sorted((path for path in found if not path.name.startswith((".", "~"))), key=natural)


def _files_in(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except FileNotFoundError:
        raise UserError(f"{folder} does not exist: check the name") from None
    except NotADirectoryError:
        raise UserError(f"{folder} is a file: use `tts-book convert {folder}`") from None
    except PermissionError:
        raise UserError(f"{folder} may not be read: change its permissions") from None
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error}") from None


def read_folder(
    folder: Path, options: ReadOptions, parse: Callable[[Path, ReadOptions], ParsedBook]
) -> Folder:
    """The texts of `folder` as chapters of one book. `parse` reads one file.

    Raises UserError if nothing in it can be read.
    """
    paths = texts_in(folder)
    if not paths:
        raise UserError(f"{folder} holds no texts: put .txt or .md files into it")
    read: list[tuple[Path, ParsedBook]] = []
    unread: list[tuple[Path, str]] = []
    for path in paths:
        try:
            read.append((path, _worded(parse(path, options))))
        except UserError as error:
            unread.append((path, _reason(path, error)))
    if not read:
        path, why = unread[0]
        raise UserError(f"no text in {folder} can be read: {path.name} {why}")
    book = _book(folder, read, options)
    return Folder(book, tuple(path for path, _ in read), tuple(unread))


def _is_text(path: Path) -> bool:
    if path.name.startswith((".", "~")) or _NO_BOOKS.match(path.stem):
        return False
    return path.suffix.lower() in SUFFIXES


def _worded(parsed: ParsedBook) -> ParsedBook:
    if not any(any(map(str.isalnum, paragraph.text)) for paragraph in parsed.paragraphs):
        raise UserError(f"{parsed.source.name} has no words to read aloud")
    return parsed


def _reason(path: Path, error: UserError) -> str:
    return str(error).removeprefix(str(path)).removeprefix(path.name).lstrip(": ")


def _book(folder: Path, read: Sequence[tuple[Path, ParsedBook]], options: ReadOptions) -> Book:
    name = folder.resolve().name or str(folder)
    spoken = {path: _spoken(parsed) for path, parsed in read}
    known = Counter(parsed.language for _, parsed in read if parsed.language).most_common(1)
    tag, told = choose_language(
        "\n\n".join(spoken.values()), known[0][0] if known else "", name, options.language
    )
    each = [(parsed, _chapters(path, parsed, tag, options)) for path, parsed in read]
    chapters = [chapter for _, found in each for chapter in found]
    titles = make_titles_unique(chapter.title for chapter in chapters)
    numbered = tuple(
        replace(chapter, number=number, title=title)
        for number, (chapter, title) in enumerate(zip(chapters, titles, strict=True), 1)
    )
    notices = [notice for _, parsed in read for notice in parsed.notices]
    notices += [*_odd_encodings(read), *_odd_languages(spoken, tag), told]
    return Book(
        title=options.title or name,
        language=tag,
        chapters=numbered,
        author=options.author or _author(read),
        notices=tuple(notice for notice in notices if notice),
        ledger=add_ledgers(make_ledger(parsed.text, found) for parsed, found in each),
    )


def _chapters(
    path: Path, parsed: ParsedBook, tag: str, options: ReadOptions
) -> tuple[Chapter, ...]:
    title = parsed.title or path.stem
    split = options.split == "headings"
    found = chapters_of(parsed, title, tag, options, split=split)
    if split and len(found) > 1:
        return found
    return tuple(replace(chapter, title=chapter.title or title) for chapter in found)


def _spoken(parsed: ParsedBook) -> str:
    return "\n\n".join(paragraph.text for paragraph in parsed.paragraphs if paragraph.text)


def _author(read: Sequence[tuple[Path, ParsedBook]]) -> str:
    authors = {parsed.author for _, parsed in read}
    return authors.pop() if len(authors) == 1 else ""


def _odd_encodings(read: Sequence[tuple[Path, ParsedBook]]) -> Iterator[str]:
    usual = Counter(parsed.encoding for _, parsed in read).most_common(1)[0][0]
    for path, parsed in read:
        if parsed.encoding != usual:
            yield f"{path.name}: in {parsed.encoding}, its neighbours in {usual}"


def _odd_languages(spoken: dict[Path, str], tag: str) -> Iterator[str]:
    for path, text in spoken.items():
        guess = detect_language(text)
        if guess.margin >= _CLEAR and guess.language != primary_language(tag):
            looks, book = describe_language(guess.language), describe_language(tag)
            yield f"{path.name}: looks {looks}, but is read as {book} like its neighbours"
