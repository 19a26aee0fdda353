"""HTML blocks of Markdown: their tags are markup, what stands between them is text."""

from __future__ import annotations

import re
from itertools import pairwise

from tts_book.readers.book import CodeAs
from tts_book.text.announcements import Sign
from tts_book.text.inline_rules import Edit, keep_as_written
from tts_book.text.normalize import Block, Kind

_TAG = re.compile(
    r"<!--(?:[^-]|-(?!->))*(?:-->)?|<[!?][^<>]*>"
    r"|<(/?)([A-Za-z][\w:-]{0,40})(?:[^<>\"']|\"[^\"<>]*\"|'[^'<>]*')*>"
)
_INLINE = frozenset(
    (
        "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i",
        "ins", "kbd", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup",
        "time", "tt", "u", "var", "wbr", "img",
    )
)  # fmt: skip
_LEFT_OUT = {
    "script": "script", "style": "style", "pre": "code", "svg": "figure", "math": "formula",
    "button": "form field", "textarea": "form field", "select": "form field",
    "noscript": "noscript", "template": "hidden", "iframe": "media", "object": "media",
    "audio": "media", "video": "media", "nav": "contents list",
}  # fmt: skip
_SIGNS = {"code": Sign.CODE, "formula": Sign.FORMULA}
_HEADING = re.compile(r"h[1-6]\Z")
_CODE = ("code", "kbd", "samp", "tt", "var")


def find_html_blocks(
    text: str, start: int, stop: int, code: CodeAs
) -> tuple[list[Block], list[Edit]]:
    """The blocks of the HTML in `text` from `start` to `stop`, and what of them is not said."""
    reader = _HtmlBlockReader(text, code)
    at = start
    for tag in _TAG.finditer(text, start, stop):
        reader.write(at, tag.start())
        reader.pass_tag((tag[2] or "").lower(), is_end=bool(tag[1]))
        at = tag.end()
    reader.write(at, stop)
    reader.close()
    return reader.blocks, reader.edits


class _HtmlBlockReader:
    def __init__(self, text: str, code: CodeAs) -> None:
        self._code_as = code
        self.blocks: list[Block] = []
        self.edits: list[Edit] = []
        self._text = text
        self._pieces: list[tuple[int, int]] = []  # of the block: where its words stand
        self._level = 0
        self._silent = ""  # the element that is left out
        self._depth = 0
        self._code = 0
        self._cells = 0  # of the row

    def write(self, start: int, stop: int) -> None:
        if self._text[start:stop].strip():
            self._pieces.append((start, stop))
            if self._code:
                self.edits += keep_as_written(self._text[start:stop], start)

    def pass_tag(self, name: str, *, is_end: bool) -> None:
        if self._silent:
            self._depth += (-1 if is_end else 1) if name == self._silent else 0
            if not self._depth:
                self.close(_LEFT_OUT[self._silent])
                self._silent = ""
        elif name in _LEFT_OUT and not is_end:
            self.close()
            self._silent, self._depth = name, 1
        elif name in _CODE:
            self._code = max(0, self._code + (-1 if is_end else 1))
        elif name and name not in _INLINE and name not in ("td", "th"):
            self.close()
            self._level = int(name[1]) if _HEADING.match(name) and not is_end else 0

    def close(self, reason: str = "") -> None:
        pieces, self._pieces = self._pieces, []
        reason = reason or _LEFT_OUT.get(self._silent, "")
        if not pieces:
            return
        for (_, stop), (start, _) in pairwise(pieces):
            gap = self._text[stop:start]
            is_cell = "<td" in gap.lower() or "<th" in gap.lower()
            self.edits.append(Edit(stop, start, ", " if is_cell else "", "markup"))
        start, stop = pieces[0][0], pieces[-1][1]
        start += len(self._text[start:stop]) - len(self._text[start:stop].lstrip())
        stop -= len(self._text[start:stop]) - len(self._text[start:stop].rstrip())
        if reason in _SIGNS and self._code_as == "announce":
            self.blocks.append(Block(start, stop))
            self.edits.append(Edit(start, stop, _SIGNS[reason], reason))
        elif reason == "code" and self._code_as == "read":
            self.blocks.append(Block(start, stop, Kind.VERSE))
            self.edits += keep_as_written(self._text[start:stop], start)
        elif reason:
            self.blocks.append(Block(start, stop, Kind.LEFT_OUT, reason=reason))
        else:
            kind = Kind.HEADING if self._level else Kind.PROSE
            self.blocks.append(Block(start, stop, kind, self._level))
