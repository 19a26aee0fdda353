"""What an element of a page is, where its name alone does not tell: a note, its mark, a row."""

from __future__ import annotations

import re

from tts_book.readers.tree_text import Element, attribute, name_of, words

_HOLDS_NOTES = frozenset(("div", "p", "section", "aside", "li", "ol", "ul", "dl", "dd"))
_NOTE_CLASSES = frozenset(("footnote", "footnotes", "endnote", "endnotes", "footnote-text"))
_NOTE_IDS = ("footnote-", "endnote-")
_NO_DATA = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "table", "br", "hr", "pre", "ul", "ol"))
_LONGEST_ROW = 1_000  # characters


def is_row(element: Element) -> bool:
    """A row of data; tables that lay out a page hold more, and headings."""
    length = 0
    for inner in element.iter():
        length += len(inner.text or "") + len(inner.tail or "")
        if length > _LONGEST_ROW or name_of(inner) in _NO_DATA:
            return False
    return True


def is_note(element: Element) -> bool:
    """What Word and older books call their notes."""
    if name_of(element) not in _HOLDS_NOTES:
        return False
    classes = attribute(element, "class").lower().split()
    return bool(_NOTE_CLASSES.intersection(classes)) or (
        name_of(element) == "li" and attribute(element, "id").startswith(_NOTE_IDS)
    )


def is_note_link(element: Element) -> bool:
    text = words(element)
    return any(name_of(child) == "a" for child in element) and len(text) < 8


def is_marked_link(element: Element) -> bool:
    """A link to a place that is only a number or a star."""
    if not attribute(element, "href").partition("#")[2] or len(element) > 1:
        return False
    text = words(element)
    inner = all(name_of(child) == "sup" for child in element)
    return (
        len(text) < 7
        and bool(re.fullmatch(r"[\[({]?(?:\d{1,4}|\*{1,3}|[†‡])[\])}]?", text))
        and (inner or text[0] in "[({*†‡")
    )
