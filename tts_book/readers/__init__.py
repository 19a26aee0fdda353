"""A file becomes a Book: what kind of file it is, and which reader knows that kind."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book.errors import UserError
from tts_book.model import Book
from tts_book.readers import decoding

if TYPE_CHECKING:
    from tts_book.readers.book import ParsedBook, ReadOptions
    from tts_book.readers.folder import Folder
else:

    def __getattr__(name: str) -> object:
        # Late, so that a run over a finished book does not wait for the rules of text.
        if name == "ReadOptions":
            return import_module("tts_book.readers.book").ReadOptions
        if name == "Folder":
            return import_module("tts_book.readers.folder").Folder
        raise AttributeError(f"module 'tts_book.readers' has no attribute {name!r}")


__all__ = ["Folder", "ReadOptions", "read", "read_bytes", "read_folder"]

Load = Callable[[Path], bytes]

_HTML = (".html", ".htm", ".xhtml")
_TEXT = (".txt", ".text", ".md", ".markdown", ".mdown", ".mkd")
_PAGE = re.compile(rb"\s*(?:<!doctype html|<html)", re.I)
_MARKDOWN = (".md", ".markdown", ".mdown", ".mkd")


def read(path: Path, options: ReadOptions, load: Load = decoding.load_file) -> Book:
    """The book in the file at `path`, whose bytes `load` gives. Raises UserError if it cannot be
    read, says nothing, or is in no language that can be told."""
    from tts_book.readers.book import build_book

    with _uncollected():
        return build_book(_parse(path, options, load), stem(path.name), options)


def read_bytes(data: bytes, name: str, options: ReadOptions) -> Book:
    """The book in `data`; `name` stands for it in messages and places. Errors as in `read`."""
    from tts_book.readers.book import build_book

    with _uncollected():
        return build_book(_parse_bytes(data, name, options), stem(name), options)


def read_folder(
    path: Path,
    options: ReadOptions,
    load: Load = decoding.load_file,
    texts: Sequence[Path] | None = None,
) -> Folder:
    """The texts in the folder at `path`, or those of them that are given, in natural order, as
    chapters of one book."""
    from tts_book.readers import folder

    found = folder.texts_in(path) if texts is None else texts
    with _uncollected():
        return folder.read_folder(path, found, options, partial(_parse, load=load))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for reference cycles, of which reading makes none: among the millions of
    values of a long book that takes seconds for which Ctrl-C would have to wait."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def stem(name: str) -> str:
    """The name of a file without its kind: `war.fb2.zip` is `war`."""
    lower = name.lower()
    if lower.endswith(".fb2.zip"):
        return name[: -len(".fb2.zip")]
    return Path(name).stem or name


def _parse(path: Path, options: ReadOptions, load: Load) -> ParsedBook:
    data = load(path)
    try:
        return _parse_bytes(data, path.name, options)
    except UserError as error:
        raise UserError(_with_path(str(error), path)) from None


def _with_path(message: str, path: Path) -> str:
    """Errors name the file as the user did."""
    return f"{path}{message[len(path.name) :]}" if message.startswith(path.name) else message


def _parse_bytes(data: bytes, name: str, options: ReadOptions) -> ParsedBook:
    suffix = Path(name).suffix.lower()
    if data.startswith(b"PK\x03\x04"):
        return _parse_archive(data, name, options)
    if b"%PDF-" in data[:1024]:
        from tts_book.readers import pdf

        return pdf.read_pdf(data, name, options)
    if kind := _for_calibre(data):
        return _by_calibre(data, kind, name, options)
    if suffix == ".fb2" or b"<FictionBook" in data[:2048]:
        from tts_book.readers import fb2

        return fb2.read_fb2(data, name, options)
    if suffix in _HTML or (suffix not in _TEXT and _PAGE.match(data[:1024])):
        from tts_book.readers import html

        return html.read_html(_decoded_page(data, name, options), name, options)
    decoded = decoding.decode_text(data, name, options.encoding)
    if suffix in _MARKDOWN:
        from tts_book.readers import markdown

        return markdown.read_markdown(decoded, name, options)
    from tts_book.readers import plain

    return plain.read(decoded, name, options)


def _for_calibre(data: bytes) -> str:
    """The kind of a book that only Calibre can read, by its first bytes."""
    if data[60:68] in (b"BOOKMOBI", b"TEXtREAd"):
        return ".mobi"
    return ".rtf" if data.startswith(b"{\\rtf") else ""


def _by_calibre(data: bytes, kind: str, name: str, options: ReadOptions) -> ParsedBook:
    from tts_book.readers import archives, calibre, epub

    return epub.read_epub(
        archives.open_archive(calibre.convert_to_epub(data, kind, name), name), name, options
    )


def _decoded_page(data: bytes, name: str, options: ReadOptions) -> decoding.Decoded:
    """A page's own word on its encoding is taken where the bytes do not say otherwise."""
    from tts_book.readers import html

    if not options.encoding and (told := html.find_declared_encoding(data)):
        try:
            return decoding.Decoded(data.decode(told), told)
        except UnicodeDecodeError:
            pass
    return decoding.decode_text(data, name, options.encoding)


def _parse_archive(data: bytes, name: str, options: ReadOptions) -> ParsedBook:
    """An EPUB, or an FB2 book or a text in a ZIP archive."""
    from tts_book.readers import archives

    archive = archives.open_archive(data, name)
    names = archive.names()
    lower = [path.lower() for path in names]
    if archive.read("META-INF/container.xml") or any(path.endswith(".opf") for path in lower):
        from tts_book.readers import epub

        return epub.read_epub(archive, name, options)
    if "word/document.xml" in lower:
        from tts_book.readers import docx

        return docx.read_docx(data, archive, name, options)
    if archive.read("mimetype").startswith(b"application/vnd.oasis.opendocument.text"):
        return _by_calibre(data, ".odt", name, options)
    books = [path for path in names if path.lower().endswith((".fb2", *_HTML, *_TEXT))]
    if len(books) == 1:
        data = archive.read(books[0])
        if data.startswith(b"PK\x03\x04"):
            raise UserError(f"{name} is an archive in an archive: unpack it first")
        inner = _parse_bytes(data, Path(books[0]).name, options)
        return replace(inner, source=replace(inner.source, name=name))
    if books:
        raise UserError(f"{name} holds {len(books)} texts: unpack it, then use `tts-book batch`")
    raise UserError(f"{name} is a ZIP archive without a book in it: give a text or a book")
