"""A folder of texts as one book."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tts_book.errors import UserError
from tts_book.model import Book, Chapter, Origin, Source
from tts_book.readers.book import (
    ParsedBook,
    ReadOptions,
    add_ledgers,
    chapters_of,
    choose_language,
    make_ledger,
    remark_left_out,
    remark_long_chapters,
)
from tts_book.text.chapters import make_titles_unique
from tts_book.text.language import detect_language
from tts_book.text.language_tags import describe_language, parse_language_tag, primary_language

SUFFIXES = frozenset((".txt", ".text", ".md", ".markdown", ".mdown", ".mkd"))
BOOKS = (
    ".epub", ".fb2", ".fb2.zip", ".docx", ".pdf", ".mobi", ".azw", ".azw3", ".odt", ".rtf",
)  # fmt: skip
_NO_BOOKS = re.compile(r"(?:readme|licen[cs]e|copying|changelog|contributing|прочти)\b", re.I)
_CLEAR = 0.3  # a margin at which a file's language is worth comparing with its neighbours'


Sieve = Callable[[Path], bool]


@dataclass(frozen=True, slots=True)
class Folder:
    """The book of a folder, the files that it was made of, and those that could not be read, each
    with the reason. These are chapters without text, so that all others keep their numbers."""

    book: Book
    sources: tuple[Path, ...]
    unread: tuple[tuple[Path, str], ...]


def natural_key(path: Path) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """A key that sorts 2 before 10, in folders as in files."""
    return tuple(
        tuple(
            (0, int(piece), piece) if piece.isdecimal() else (1, 0, piece)
            for piece in re.findall(r"\d+|\D+", part.casefold())
        )
        for part in path.parts
    )


def texts_in(folder: Path, *, recursive: bool = True, leave_out: Sieve | None = None) -> list[Path]:
    """The texts in `folder`, and in the folders in it, in natural order; without hidden ones, and
    without files and folders to `leave_out`. Raises UserError if it is no folder."""
    return _files_in(folder, _is_text, recursive, leave_out)


def books_in(folder: Path, *, recursive: bool = True, leave_out: Sieve | None = None) -> list[Path]:
    """The e-books in `folder`, as `texts_in` finds texts."""
    return _files_in(folder, _is_book, recursive, leave_out)


def _files_in(folder: Path, wanted: Sieve, recursive: bool, leave_out: Sieve | None) -> list[Path]:
    found: list[Path] = []
    seen: set[Path] = set()  # or a link would lead round for ever
    places = deque([folder])
    while places:
        place = places.popleft()
        if (real := place.resolve()) in seen:
            continue
        seen.add(real)
        for path in _entries(place):
            if path.name.startswith((".", "~")) or (leave_out and leave_out(path)):
                continue
            if not path.is_dir():
                found += [path] if wanted(path) and path.is_file() else []
            elif recursive and path.is_symlink():
                places.append(path)
            elif recursive:  # before all links, which may lead here
                places.appendleft(path)
    return sorted(found, key=lambda path: natural_key(path.relative_to(folder)))


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        raise UserError(f"{folder} does not exist: check the name") from None
    except NotADirectoryError:
        raise UserError(f"{folder} is a file: use `tts-book convert {folder}`") from None
    except PermissionError:
        raise UserError(f"{folder} may not be read: change its permissions") from None
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error}") from None


def read_folder(
    folder: Path,
    paths: Sequence[Path],
    options: ReadOptions,
    parse: Callable[[Path, ReadOptions], ParsedBook],
) -> Folder:
    """The texts at `paths` in `folder` as chapters of one book; folders in it are its parts.
    `parse` reads one file.

    Raises UserError if nothing in it can be read.
    """
    if not paths:
        raise UserError(f"{folder} holds no texts: put .txt or .md files into it")
    read: dict[Path, ParsedBook | str] = {}
    for path in paths:
        try:
            read[path] = _placed(folder, path, _worded(parse(path, options)))
        except UserError as error:
            read[path] = _reason(path, error)
    unread = tuple((path, why) for path, why in read.items() if isinstance(why, str))
    if len(unread) == len(read):
        path, why = unread[0]
        raise UserError(f"no text in {folder} can be read: {_place(folder, path)} {why}")
    sources = tuple(path for path, parsed in read.items() if not isinstance(parsed, str))
    return Folder(_book(folder, read, options), sources, unread)


def _is_book(path: Path) -> bool:
    return path.name.lower().endswith(BOOKS)


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not _NO_BOOKS.match(path.stem)


def _worded(parsed: ParsedBook) -> ParsedBook:
    if not any(any(map(str.isalnum, paragraph.text)) for paragraph in parsed.paragraphs):
        raise UserError(f"{parsed.source.name} has no words to read aloud")
    return parsed


def _placed(folder: Path, path: Path, parsed: ParsedBook) -> ParsedBook:
    """With places that say which of the folder's files they are in: several may have one name."""
    return replace(parsed, source=replace(parsed.source, name=_name(folder, path)))


def _title(folder: Path) -> str:
    return folder.resolve().name or str(folder)


def _place(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _name(folder: Path, path: Path) -> str:
    return (Path(folder.resolve().name) / path.relative_to(folder)).as_posix()


def _reason(path: Path, error: UserError) -> str:
    return str(error).removeprefix(str(path)).removeprefix(path.name).lstrip(": ")


def _book(folder: Path, files: Mapping[Path, ParsedBook | str], options: ReadOptions) -> Book:
    name = _title(folder)
    read = [(path, parsed) for path, parsed in files.items() if not isinstance(parsed, str)]
    tag, own, told = _languages(folder, read, options)
    chapters: list[Chapter] = []
    ledgers = []
    for path, parsed in files.items():
        part = ", ".join(path.relative_to(folder).parts[:-1])
        if isinstance(parsed, str):
            place = _name(folder, path)
            lost, reason = Origin(Source(place), ()), f"{place} {parsed}"
            chapters.append(Chapter(0, _in_part(part, path.stem), "", lost, unread=reason))
            continue
        its = _chapters(path, parsed, own.get(path, tag), options)
        ledgers.append(make_ledger(parsed.text, its))
        chapters += (
            replace(each, title=_in_part(part, each.title), language=own.get(path, ""))
            for each in its
        )
    titles = make_titles_unique(chapter.title for chapter in chapters)
    numbered = tuple(
        replace(chapter, number=number, title=title)
        for number, (chapter, title) in enumerate(zip(chapters, titles, strict=True), 1)
    )
    notices = [notice for _, parsed in read for notice in parsed.notices]
    ledger = add_ledgers(ledgers)
    notices += [*_odd_encodings(folder, read), *told, *remark_left_out(numbered, ledger)]
    notices += remark_long_chapters(numbered, tag)
    return Book(
        title=options.title or name,
        language=tag,
        chapters=numbered,
        author=options.author or _author(read),
        notices=tuple(notice for notice in notices if notice),
        ledger=ledger,
    )


def _in_part(part: str, title: str) -> str:
    return f"{part}, {title}" if part else title


def _languages(
    folder: Path, read: Sequence[tuple[Path, ParsedBook]], options: ReadOptions
) -> tuple[str, dict[Path, str], list[str]]:
    """The language of most of the text, those of files in others, and remarks for the user.
    Raises UserError if no language can be told."""
    spoken = {path: _spoken(parsed) for path, parsed in read}
    if options.language:
        tag = parse_language_tag(options.language)
        return tag, {}, list(_odd_languages(folder, spoken, tag))
    clear: dict[Path, str] = {}
    sizes: Counter[str] = Counter()
    for path, text in spoken.items():
        guess = detect_language(text)
        if guess.margin >= _CLEAR:
            clear[path] = guess.language
            sizes[guess.language] += len(text)
    most = sizes.most_common(1)[0][0] if sizes else ""
    known = Counter(parsed.language for _, parsed in read if parsed.language).most_common(1)
    usual = [text for path, text in spoken.items() if clear.get(path, most) == most]
    tag, told = choose_language(
        "\n\n".join(usual), known[0][0] if known else "", _title(folder), ""
    )
    own = {path: its for path, its in clear.items() if its != primary_language(tag)}
    return tag, own, [told, *_own_languages(folder, own)]


def _own_languages(folder: Path, own: Mapping[Path, str]) -> Iterator[str]:
    for tag in dict.fromkeys(own.values()):
        names = [_place(folder, path) for path, its in own.items() if its == tag]
        yield f"in {describe_language(tag)}: {_list_some(names)}"


def _list_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"


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


def _odd_encodings(folder: Path, read: Sequence[tuple[Path, ParsedBook]]) -> Iterator[str]:
    usual = Counter(parsed.encoding for _, parsed in read).most_common(1)[0][0]
    for path, parsed in read:
        if parsed.encoding != usual:
            yield f"{_place(folder, path)}: in {parsed.encoding}, its neighbours in {usual}"


def _odd_languages(folder: Path, spoken: dict[Path, str], tag: str) -> Iterator[str]:
    odd: dict[str, list[str]] = {}
    for path, text in spoken.items():
        guess = detect_language(text)
        if guess.margin >= _CLEAR and guess.language != primary_language(tag):
            odd.setdefault(guess.language, []).append(_place(folder, path))
    for language, names in odd.items():
        looks, book = describe_language(language), describe_language(tag)
        is_one = len(names) == 1
        seen = f"looks {looks}, but is" if is_one else f"look {looks}, but are"
        yield f"{_list_some(names)}: {seen} read as {book}, as --language says"
