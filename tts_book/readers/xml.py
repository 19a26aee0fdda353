"""XML as it is found: without entities from anywhere, mended where it is broken."""

from __future__ import annotations

import codecs
import re

from tts_book.errors import UserError
from tts_book.readers.tree_text import Element

_REFERENCE = re.compile(rb"&#([xX][0-9a-fA-F]{1,8}|[0-9]{1,9});")
_DECLARED = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.-]+)[\"']"
)


def tree(data: bytes, name: str, *, encoding: str = "") -> tuple[Element, str]:
    """The root of an XML file, and a remark where it had to be mended.

    A declared encoding is not believed where the bytes are UTF-8. Raises UserError for what is
    no XML at all.
    """
    from lxml import etree

    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data, encoding = data.decode("utf-16", "replace").encode("utf-8", "replace"), "utf-8"
    data = _REFERENCE.sub(_known, data)
    real = encoding or ("utf-8" if _is_utf8(data) else "")
    parser = etree.XMLParser(
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
        encoding=real or None,
    )
    try:
        root = etree.fromstring(_without_doctype(data), parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        root = None
    if root is None:
        raise UserError(f"{name} is not readable XML: save it again, or as .txt")
    return root, _remark(parser, name)


def _known(reference: re.Match[bytes]) -> bytes:
    """A reference to a character that there is; lxml stumbles over halves of surrogate pairs."""
    number = reference[1]
    code = int(number[1:], 16) if number[:1] in b"xX" else int(number)
    return b"&#xFFFD;" if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF else reference[0]


def _is_utf8(data: bytes) -> bool:
    """Whether the bytes are UTF-8 and say so, whatever the declaration says."""
    if data.isascii():
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _without_doctype(data: bytes) -> bytes:
    """No document type: it is where entity attacks live, and no reader of books needs it."""
    start = data[:2048].find(b"<!DOCTYPE")
    if start < 0:
        return data
    stop = data.find(b">", start)
    bracket = data.find(b"[", start, stop)
    if bracket >= 0:
        closing = data.find(b"]", bracket)
        stop = data.find(b">", closing)
    return data[:start] + data[stop + 1 :] if stop >= 0 else data


def _remark(parser: object, name: str) -> str:
    errors = [e for e in getattr(parser, "error_log", ()) if e.level_name == "FATAL"]
    if not errors:
        return ""
    return f"{name}: broken XML was mended at {len(errors)} places (first in line {errors[0].line})"


def declared(data: bytes) -> str:
    """The encoding that an XML file declares."""
    found = _DECLARED.match(data[:512])
    return found[1].decode("ascii", "replace").lower() if found else ""
