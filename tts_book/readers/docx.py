"""Word documents (.docx): mammoth turns them into HTML, with headings, notes and tables told."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import replace
from xml.parsers.expat import ExpatError

from tts_book.errors import UserError
from tts_book.readers import html, xml
from tts_book.readers.archives import Archive
from tts_book.readers.book import ParsedBook, ReadOptions, find_language
from tts_book.readers.decoding import Decoded
from tts_book.readers.tree_text import name_of, words

_STYLES = """
p[style-name='Source Code'] => pre:separator('\\n')
p[style-name='HTML Preformatted'] => pre:separator('\\n')
p[style-name='TOC Heading'] => nav > p:fresh
p[style-name^='toc '] => nav > p:fresh
p[style-name^='index '] => section[role='doc-index'] > p:fresh
p[style-name='footnote text'] => p:fresh
"""
# What a damaged or hostile document makes mammoth fall over.
_FAULTS = (
    ExpatError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RecursionError,
    KeyError, IndexError, ValueError, AttributeError, TypeError, NotImplementedError,
)  # fmt: skip


def read(data: bytes, archive: Archive, name: str, options: ReadOptions) -> ParsedBook:
    """A Word document in blocks. Raises UserError if it is damaged, or mammoth is not there."""
    about = _about(archive, name)
    language = find_language(about.get("language", ""))
    page = f'<html lang="{language}"><body>{_body(data, name)}</body></html>'
    return replace(
        html.read(Decoded(page, "utf-8"), name, options),
        title=about.get("title", ""),
        author=about.get("creator", ""),
        language=language,
    )


def _body(data: bytes, name: str) -> str:
    try:
        import mammoth
    except ModuleNotFoundError:
        raise UserError(
            f"{name} is a Word document, which needs one more library: "
            'pip install "tts-book[docx]", or save it as .txt or .epub'
        ) from None
    try:
        found = mammoth.convert_to_html(
            io.BytesIO(data),
            style_map=_STYLES,
            convert_image=mammoth.images.img_element(lambda image: {}),
            include_embedded_style_map=False,
            external_file_access=False,
        )
    except _FAULTS:
        raise UserError(f"{name} is a damaged Word document: save it again, or as .txt") from None
    return str(found.value)


def _about(archive: Archive, name: str) -> dict[str, str]:
    """Title, author and language as the document's properties say."""
    data = archive.read("docProps/core.xml")
    if not data:
        return {}
    root, _ = xml.tree(data, name)
    return {name_of(element): words(element) for element in root}
