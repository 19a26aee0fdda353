"""A file becomes a Book: what kind of file it is, and which reader knows that kind."""

from __future__ import annotations

from pathlib import Path

from tts_book.errors import UserError
from tts_book.model import Book
from tts_book.readers import decoding, folder, plain
from tts_book.readers.folder import Folder
from tts_book.readers.parsed import Parsed, ReadOptions, book

__all__ = ["Folder", "ReadOptions", "read", "read_bytes", "read_folder"]

_MARKDOWN = (".md", ".markdown", ".mdown", ".mkd")
_NOT_YET = {
    ".epub": "EPUB",
    ".fb2": "FB2",
    ".fbz": "FB2",
    ".html": "HTML",
    ".htm": "HTML",
    ".xhtml": "HTML",
    ".docx": "Word",
    ".doc": "Word",
    ".odt": "OpenDocument",
    ".rtf": "RTF",
    ".pdf": "PDF",
    ".mobi": "Kindle",
    ".azw": "Kindle",
    ".azw3": "Kindle",
    ".djvu": "DjVu",
}


def read(path: Path, options: ReadOptions) -> Book:
    """The book in the file at `path`. Raises UserError if it cannot be read, says nothing, or is
    in no language that can be told."""
    return book(_parse(path, options), stem(path.name), options)


def read_bytes(data: bytes, name: str, options: ReadOptions) -> Book:
    """The book in `data`; `name` stands for it in messages and places. Errors as in `read`."""
    return book(_parse_bytes(data, name, options), stem(name), options)


def read_folder(path: Path, options: ReadOptions) -> Folder:
    """The texts directly in the folder at `path`, in natural order, as chapters of one book."""
    return folder.read_folder(path, options, _parse)


def stem(name: str) -> str:
    """The name of a file without its kind: `war.fb2.zip` is `war`."""
    lower = name.lower()
    if lower.endswith(".fb2.zip"):
        return name[: -len(".fb2.zip")]
    return Path(name).stem or name


def _parse(path: Path, options: ReadOptions) -> Parsed:
    data = decoding.load(path)
    try:
        return _parse_bytes(data, path.name, options)
    except UserError as error:
        raise UserError(_with_path(str(error), path)) from None


def _with_path(message: str, path: Path) -> str:
    """Errors name the file as the user did."""
    return f"{path}{message[len(path.name) :]}" if message.startswith(path.name) else message


def _parse_bytes(data: bytes, name: str, options: ReadOptions) -> Parsed:
    suffix = Path(name).suffix.lower()
    if kind := _NOT_YET.get(suffix):
        raise UserError(f"{name}: {kind} files are not read yet: save it as .txt or .md first")
    decoded = decoding.decode(data, name, options.encoding)
    if suffix in _MARKDOWN:
        from tts_book.readers import markdown

        return markdown.read(decoded, name, options)
    return plain.read(decoded, name, options)
