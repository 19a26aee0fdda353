"""FB2: sections are chapters, the notes' body is left out, the cover is inside."""

from __future__ import annotations

import base64
import binascii

from tts_book.errors import UserError
from tts_book.model import Cover
from tts_book.readers import xml
from tts_book.readers.markup import Builder, Element, attribute, children, events, name_of, words
from tts_book.readers.parsed import Parsed, ReadOptions, known_language
from tts_book.text import Kind

_PARAGRAPHS = frozenset(("p", "text-author", "date", "tr", "stanza", "cite", "epigraph", "poem"))
_CELLS = ("td", "th")
_DEEPEST = 40


def read(data: bytes, name: str, options: ReadOptions) -> Parsed:
    """An FB2 file in blocks. Raises UserError for what is none."""
    root, remark = xml.tree(data, name, encoding=options.encoding)
    if name_of(root) != "fictionbook":
        raise UserError(f"{name} is not an FB2 book: save it again, or as .txt")
    builder = Builder(name)
    for body in children(root, "body"):
        is_notes = attribute(body, "name") in ("notes", "comments", "footnotes")
        _walk(body, builder, left_out=is_notes and not options.everything)
    source, text, found = builder.finish()
    about = _about(root)
    return Parsed(
        source=source,
        text=text,
        paragraphs=found,
        title=words(_below(about, "book-title")),
        author=_author(about),
        language=known_language(words(_below(about, "lang"))),
        cover=_cover(root, about),
        encoding=xml.declared(data) or "utf-8",
        notices=(remark,) if remark else (),
    )


def _walk(body: Element, builder: Builder, *, left_out: bool) -> None:
    if left_out:
        builder.open(Kind.LEFT_OUT, reason="notes")
        for text in body.itertext():
            builder.write(text)
        builder.close()
        return
    depth, title, verse, count = 0, 0, 0, 0
    mark: tuple[Element, int] | None = None
    for event, element in events(body):
        name = name_of(element)
        is_start = event == "start"
        if name in ("section", "body"):
            depth += 1 if is_start else -1
            builder.close()
            if is_start:
                count += 1
                builder.label(attribute(element, "id") or f"section-{count}")
        elif name == "title":
            title += 1 if is_start else -1
            builder.close()
        elif name == "subtitle" and is_start:
            builder.open(Kind.HEADING, min(depth, _DEEPEST) + 1)
        elif name == "stanza":
            verse += 1 if is_start else -1
            builder.open(Kind.VERSE) if is_start else builder.close()
        elif name == "v" and not is_start:
            builder.line_end()
        elif name == "p" and title and is_start:
            builder.open(Kind.HEADING, max(1, min(depth, _DEEPEST)))
        elif name in _PARAGRAPHS and is_start and not verse:
            builder.open()
        elif name in (*_PARAGRAPHS, "subtitle") and not is_start and not verse:
            builder.close()
        elif name == "a" and attribute(element, "type") == "note" and is_start:
            mark = (element, builder.length)
        elif mark and element is mark[0] and not is_start:
            builder.drop(mark[1], "note mark")
            mark = None
        elif name in _CELLS and not is_start:
            builder.cell_end()
        if is_start:
            builder.write(element.text)
        elif element is not body:
            builder.write(element.tail)


def _below(element: Element | None, name: str) -> Element | None:
    if element is None:
        return None
    return next((child for child in element.iter() if name_of(child) == name), None)


def _about(root: Element) -> Element | None:
    return _below(_below(root, "description"), "title-info")


def _author(about: Element | None) -> str:
    author = _below(about, "author")
    names = ("first-name", "middle-name", "last-name")
    return " ".join(filter(None, (words(_below(author, name)) for name in names)))


def _cover(root: Element, about: Element | None) -> Cover | None:
    image = _below(_below(about, "coverpage"), "image")
    wanted = attribute(image, "href").lstrip("#") if image is not None else ""
    for binary in children(root, "binary"):
        if wanted and attribute(binary, "id") == wanted:
            try:
                data = base64.b64decode("".join(binary.itertext()))
            except (binascii.Error, ValueError):
                return None
            return Cover(data, attribute(binary, "content-type") or "image/jpeg")
    return None
