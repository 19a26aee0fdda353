"""XML as it is found: without entities from anywhere, repaired where it is broken."""

from __future__ import annotations

import codecs
import html
import re

from tts_book.errors import UserError
from tts_book.readers import decoding
from tts_book.readers.tree_text import Element

_REFERENCE = re.compile(r"&#([xX][0-9a-fA-F]{1,8}|[0-9]{1,9});")
_DECLARED = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.-]+)[\"']"
)
_ENTITY = re.compile(r"<!ENTITY\s+([\w.:-]{1,100})\s+(?:\"([^\"<&%]{0,100})\"\s*>)?")
_NAMED = re.compile(r"&([\w.:-]{1,100});")
_MOST_ADDED = 1_000_000  # characters by entities
_HEAD = 2048  # characters in which a document type begins


def parse_xml(data: bytes, name: str, *, encoding: str = "") -> tuple[Element, str]:
    """The root of an XML file, and a remark where it had to be repaired.

    A declared encoding is not believed where the bytes are UTF-8, nor UTF-8 where they are not.
    Raises UserError for what is no XML at all.
    """
    from lxml import etree

    text = _REFERENCE.sub(_known, write_out_entities(decode_xml(data, name, encoding)))
    parser = etree.XMLParser(
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
        encoding="utf-8",
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None:
        raise UserError(f"{name} is not readable XML: save it again, or as .txt")
    return root, _remark(parser, name)


def decode_xml(data: bytes, name: str, encoding: str = "") -> str:
    """The text of an XML file: in `encoding` if it is given, else in UTF-8 if it is that, else in
    what it declares, else in what its bytes look like. Raises UserError where nothing fits."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    told = encoding or find_declared_encoding(data)
    if not encoding:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    if told and told.replace("_", "-") not in ("utf-8", "utf8", "us-ascii", "ascii"):
        try:
            return data.decode(told, "replace")
        except LookupError:
            pass
    text = data.partition(b"<binary")[0]  # pictures of FB2 say nothing about letters
    found = decoding.decode_text(text, name, encoding).encoding
    return data.decode(found, "replace")


def find_declared_encoding(data: bytes) -> str:
    """The encoding that an XML file declares."""
    found = _DECLARED.match(data[:512])
    return found[1].decode("ascii", "replace").lower() if found else ""


def write_out_entities(text: str) -> str:
    """`text` without its document type, the entities that this declares written out.

    Only short plain ones: what is built of other entities or lies in another file says nothing,
    for that is how small files become huge, and how they read what is none of their business.
    """
    start = text[:_HEAD].find("<!DOCTYPE")
    if start < 0:
        return text
    stop = text.find(">", start)
    bracket = text.find("[", start, stop)
    entities: dict[str, str] = {}
    if bracket >= 0:
        closing = _end_of_subset(text, bracket)
        entities = {m[1]: m[2] or "" for m in _ENTITY.finditer(text, bracket, closing)}
        stop = text.find(">", closing)
    if stop < 0:
        return text
    text = text[:start] + text[stop + 1 :]
    if not entities:
        return text
    budget = _MOST_ADDED

    def write_out(name: re.Match[str]) -> str:
        nonlocal budget
        value = html.escape(entities[name[1]]) if name[1] in entities else name[0]
        budget -= max(0, len(value) - len(name[0]))
        return value if budget > 0 else ""

    return _NAMED.sub(write_out, text)


def _end_of_subset(text: str, bracket: int) -> int:
    """The `]` that ends the declarations: one behind them, not one inside their quotes."""
    closing = re.compile(r"\]\s*>").search(text, bracket)
    return closing.start() if closing else len(text)


def _known(reference: re.Match[str]) -> str:
    """A reference to a character that there is; lxml stumbles over halves of surrogate pairs."""
    number = reference[1]
    code = int(number[1:], 16) if number[:1] in "xX" else int(number)
    return "&#xFFFD;" if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF else reference[0]


def _remark(parser: object, name: str) -> str:
    errors = [e for e in getattr(parser, "error_log", ()) if e.level_name == "FATAL"]
    if not errors:
        return ""
    return f"{name}: broken XML, repaired at {len(errors)} places (first in line {errors[0].line})"
