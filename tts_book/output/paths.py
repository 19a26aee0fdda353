"""Where a book's files go, what they are called, and which existing ones are ours to replace.

A file of ours carries its owner in its tag: the way from the file's folder to the source. So a
second run knows its own files, and no other book's.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pathvalidate import sanitize_filename

from tts_book.errors import UserError
from tts_book.model import Book

# File systems take 255 bytes; encrypted shares take 143. Numbers, suffixes and the name of the
# unfinished file need some of them.
NAME_MOST_BYTES = 120
SUFFIX = ".mp3"
SUFFIXES = (SUFFIX, ".m4b", ".opus")
# The formats: a file for each chapter, or one for the whole book, with chapter marks.
CHAPTERS, WHOLE_MP3 = "mp3", "mp3book"
# Players keep times in 32 bits, and memory for the index of a file grows with its length.
LONGEST_MS = 24 * 3_600_000
CAPTIONS = ("srt", "vtt", "lrc")
WHOLE = {"m4b": ".m4b", "opus": ".opus", WHOLE_MP3: ".mp3"}
# Files that show a book instead of playing it, beside its audio.
COMPANIONS = {"page": ".html", "epub": ".epub"}

Owner = Callable[[Path], str | None]


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one book: `targets[i]` is chapter i+1, `whole` are those that hold the whole
    book, each with its format. Where chapters are not asked for (`keeps_chapters`), their files
    exist only on the way. `owner` is what the tags say."""

    folder: Path
    targets: tuple[Path, ...]
    owner: str
    stem: str
    whole: tuple[tuple[str, Path], ...] = ()
    keeps_chapters: bool = True

    @property
    def files(self) -> tuple[Path, ...]:
        """All that there is in the end."""
        whole = tuple(path for _, path in self.whole)
        return (*self.targets, *whole) if self.keeps_chapters else whole


def file_name(text: str, fallback: str = "untitled") -> str:
    """A name that every file system takes, at most `NAME_MOST_BYTES` long."""
    clean = "".join(c for c in unicodedata.normalize("NFC", text) if c.isprintable())
    cut = clean.encode("utf-8", "ignore")[:NAME_MOST_BYTES].decode("utf-8", "ignore")
    name = str(sanitize_filename(cut, platform="universal")).strip(" .")
    return name or fallback


def lay_out_book(
    book: Book,
    stem: str,
    source: Path | None,
    out: Path | None,
    cwd: Path,
    formats: Sequence[str] = (CHAPTERS,),
    shelf: Path | None = None,
) -> Layout:
    """Places all files of a book in these formats: its chapters as `_chapters` says, the whole
    book as `STEM.m4b` and so on beside the folder of its chapters; `out` may name that file, too.
    With a `shelf`, all is in that folder.
    """
    if len(book.chapters) == 1:  # its file is the whole book already
        formats = tuple(dict.fromkeys(CHAPTERS if f == WHOLE_MP3 else f for f in formats))
    if shelf is not None:
        return _lay_out_shelf(book, source, (cwd if out is None else out) / shelf, formats)
    wholes = [name for name in formats if name != CHAPTERS]
    named = out is not None and not out.is_dir() and out.suffix.lower() in WHOLE.values()
    if out is None or not wholes or not named:
        made = _lay_out_chapters(book, stem, source, out, cwd)
    elif wholes == [name for name in wholes if WHOLE[name] == out.suffix.lower()]:
        made = _lay_out_chapters(book, out.stem, source, out.parent, cwd)
    else:
        raise _make_format_error(out, formats)
    folder = made.folder if len(made.targets) == 1 else made.folder.parent
    whole = tuple((name, folder / f"{made.stem}{WHOLE[name]}") for name in wholes)
    return replace(made, whole=whole, keeps_chapters=CHAPTERS in formats)


def _make_format_error(out: Path, formats: Sequence[str]) -> UserError:
    return UserError(
        f"{out} is one {out.suffix.lower()} file, and --format asks for {','.join(formats)}: "
        "leave --format out, or name a folder with -o."
    )


def lay_out_excerpt(
    book: Book,
    stem: str,
    source: Path | None,
    out: Path | None,
    cwd: Path,
    formats: Sequence[str],
) -> Layout:
    """Places an excerpt of a book: `STEM (excerpt).mp3`, or the file that `out` names. It has an
    owner of its own, so that it is no left-over of the book. Raises UserError where `out` is one
    file and several are asked for."""
    kinds = tuple(dict.fromkeys(WHOLE_MP3 if f == CHAPTERS else f for f in formats))
    named = out is not None and not out.is_dir() and out.suffix.lower() in WHOLE.values()
    if out is None or not named:
        file = (cwd if out is None else out) / f"{file_name(stem)} (excerpt){SUFFIX}"
    elif kinds == tuple(kind for kind in kinds if WHOLE[kind] == out.suffix.lower()):
        file = out
    else:
        raise _make_format_error(out, formats)
    made = _lay_out_chapters(book, stem, source, None, file.parent)
    whole = tuple((kind, file.with_suffix(WHOLE[kind])) for kind in kinds)
    owner = f"{_find_owner(file.parent, source, made.stem)} (excerpt)"
    return Layout(file.parent, made.targets, owner, file.stem, whole, keeps_chapters=False)


def _lay_out_chapters(
    book: Book, stem: str, source: Path | None, out: Path | None, cwd: Path
) -> Layout:
    """Places the chapters of `book`: `STEM.mp3`, or a folder `STEM` of numbered files.

    `out` is a folder (made later), or the file of a book with one chapter. `source` is None for
    standard input. Raises UserError where a file is named for several chapters.
    """
    name = file_name(stem)
    count = len(book.chapters)
    if out is not None and out.suffix.lower() == SUFFIX and not out.is_dir():
        return _one_file(book, out, source, count)
    folder = cwd if out is None else out
    if count == 1:
        return Layout(
            folder, (folder / f"{name}{SUFFIX}",), _find_owner(folder, source, name), name
        )
    usual, other = (folder / inner for inner in name_chapter_folders(name))
    inner = other if source is not None and usual.resolve() == source.resolve() else usual
    width = max(3, len(str(count)))
    targets = tuple(
        inner / f"{chapter.number:0{width}} - {file_name(chapter.title)}{SUFFIX}"
        for chapter in book.chapters
    )
    return Layout(inner, targets, _find_owner(folder, source, name), name)


def name_chapter_folders(stem: str) -> tuple[str, str]:
    """What the folder of a book's chapters is called, and where its source is called so."""
    return stem, f"{stem} (audio)"


def _lay_out_shelf(book: Book, source: Path | None, inner: Path, formats: Sequence[str]) -> Layout:
    """Players that read such folders take every file in one for a part of the book."""
    if len(formats) > 1:
        raise UserError(
            f"--layout audiobookshelf takes one format, not {', '.join(formats)}: all files in a "
            "folder are played one after the other there."
        )
    stem, count = inner.name, len(book.chapters)
    width = max(3, len(str(count)))
    names = [f"{c.number:0{width}} - {file_name(c.title)}" for c in book.chapters]
    targets = tuple(inner / f"{name}{SUFFIX}" for name in (names if count > 1 else [stem]))
    whole = tuple((f, inner / f"{stem}{WHOLE[f]}") for f in formats if f != CHAPTERS)
    return Layout(
        inner, targets, _find_owner(inner, source, stem), stem, whole, CHAPTERS in formats
    )


def _one_file(book: Book, out: Path, source: Path | None, count: int) -> Layout:
    if count > 1:
        raise UserError(
            f'"{book.title}" has {count} chapters, each a file: name a folder with '
            f"-o {out.with_suffix('')}, or ask for one file with chapter marks by "
            "--format mp3book (or m4b, with a name that ends so)."
        )
    return Layout(out.parent, (out,), _find_owner(out.parent, source, out.stem), out.stem)


def _find_owner(folder: Path, source: Path | None, name: str) -> str:
    """The way from the output folder to the source: it holds when both move together."""
    if source is None:
        return f"-/{name}"
    return relative_path(source, folder)


def relative_path(path: Path, folder: Path) -> str:
    """The way from a folder to a path, with slashes; on another drive the whole path."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return path.resolve().as_posix()


def folder_ignores_case(folder: Path) -> bool:
    """Whether `Book.mp3` and `book.mp3` are one file in a folder, or in that where it will be made;
    False where that cannot be tried."""
    place = next(place for place in (folder, *folder.parents) if place.exists())
    probe = place / f".tts-book-{os.getpid()}-case.part"
    try:
        probe.touch()
        try:
            return probe.with_name(probe.name.upper()).exists()
        finally:
            probe.unlink(missing_ok=True)
    except OSError:
        return False


def refuse_foreign_files(
    layouts: Sequence[Layout],
    owner_of: Owner,
    force: bool,
    ignores_case: Callable[[Path], bool] = folder_ignores_case,
) -> None:
    """Raises UserError if a target is another book's, not ours, or wanted twice in this run.
    `ignores_case` answers whether `Book.mp3` and `book.mp3` are one file in a folder."""
    seen: dict[str, Path] = {}
    foreign: list[Path] = []
    for book in layouts:
        for target in book.files:
            other = seen.setdefault(_fold_case(target), target)
            if other is not target and (other == target or ignores_case(target.parent)):
                raise UserError(
                    f"Two of these books would be written to {target}: convert them one by one, "
                    "each with its own -o FOLDER."
                )
            if target.is_dir():
                raise UserError(
                    f"{target} is a folder where a file should be: move it away, or "
                    "name another place with -o."
                )
            if target.exists() and not force and owner_of(target) != book.owner:
                foreign.append(target)
    refuse_existing(foreign)


def _fold_case(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()


def refuse_existing(foreign: Sequence[Path]) -> None:
    """Raises UserError if there are files that are not ours to replace."""
    if foreign:
        more = f" (and {len(foreign) - 1} more)" if len(foreign) > 1 else ""
        raise UserError(
            f"{foreign[0]}{more} exists and was not written by this program for this book: "
            "name another place with -o, or replace it with --force."
        )


def make_folders(layouts: Sequence[Layout]) -> None:
    """Makes the output folders and tries to write there. Raises UserError where that fails."""
    for folder in {target.parent for book in layouts for target in book.files}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".tts-book-{os.getpid()}.part"
            probe.touch()
            probe.unlink(missing_ok=True)  # another thread of this process tries the same
        except OSError as error:
            raise UserError(
                f"{folder} cannot be written ({error.strerror}): name another place with -o."
            ) from error


def find_stale_files(
    book: Layout, owner_of: Owner, is_whole: Callable[[Path], bool]
) -> tuple[Path, ...]:
    """Files of this book's earlier runs that are no chapter of it any more. Those in formats that
    are not asked for now are not among them; `is_whole` says of an MP3 whether it holds a whole
    book."""
    places: Iterable[Path] = {book.folder, *(target.parent for target in book.files)}
    if len(book.targets) == 1:
        places = {*places, *(book.folder / name for name in name_chapter_folders(book.stem))}
    elif book.folder.name in name_chapter_folders(book.stem):
        places = {*places, book.folder.parent}
    own = set(book.files)
    found = {
        path
        for place in places
        if place.is_dir()
        for path in place.iterdir()
        if path.suffix.lower() in SUFFIXES and path not in own and owner_of(path) == book.owner
    }
    return tuple(sorted(path for path in found if _is_asked_kind(book, path, is_whole)))


def _is_asked_kind(book: Layout, path: Path, is_whole: Callable[[Path], bool]) -> bool:
    kinds = {kind for kind, _ in book.whole}
    if path.suffix.lower() != SUFFIX:
        return any(WHOLE[kind] == path.suffix.lower() for kind in kinds)
    if len(book.targets) > 1 and is_whole(path):
        return WHOLE_MP3 in kinds
    return book.keeps_chapters
