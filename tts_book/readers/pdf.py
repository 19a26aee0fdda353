"""PDF, as well as it can be read: pages have lines, and their meaning must be guessed."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tts_book.errors import UserError
from tts_book.readers import pdf_lines
from tts_book.readers.book import ParsedBook, ReadOptions, find_language
from tts_book.readers.pdf_lines import Margins, Measure, PdfLine, Role, SmallNumber, order_lines
from tts_book.readers.tree_text import Builder
from tts_book.text.inline_rules import is_note_mark, to_subscript, to_superscript
from tts_book.text.normalize import Kind

MOST_PAGES = 20_000
_HYPHENS = "\x02\ufffe\xad"
_LINE_HYPHENS = "-\u2010\u2011"
_FIXED_FONTS = ("courier", "mono", "consol", "menlo", "typewriter", "cmtt", "inconsolata")
_SAMPLES = 9  # characters of a line whose size is asked
_MAPPED = 100  # characters of a page whose meaning is asked
_SHIFTED = 0.05  # of the size: raised or lowered
_DIGITS = 3  # of a number that stands by itself above a line
_LABEL = re.compile(r"\d{1,4}")
_CLOSE = 0.2  # of the size: no blank
_WIDE = 1.2  # of the size: a blank that may part columns
_UNMAPPED = 0.3  # of the letters
_RAISED = 0.87  # of the line's size: a note mark, a power
_TINY = 2.0  # points: sizes below it are scaled by the page, and say nothing
_FEWEST_LETTERS = 20  # on a page, on average: below that it is a scan
_DEEPEST = 6

Pages = list[list[PdfLine]]


@dataclass(frozen=True, slots=True)
class _Document:
    """What pdfium reports: lines of pages, bookmarks as title and level by page, metadata."""

    pages: Pages
    bookmarks: dict[int, list[tuple[str, int]]]
    about: dict[str, str]


def read_pdf(data: bytes, name: str, options: ReadOptions) -> ParsedBook:
    """A PDF in blocks. Raises UserError for locked, damaged and scanned ones."""
    document = _read_document(data, name)
    letters = sum(len(line.text) for page in document.pages for line in page)
    if letters < _FEWEST_LETTERS * len(document.pages):
        raise UserError(f"{name} holds pictures of pages, no text: run it through OCR first")
    builder = Builder(name, options.code)
    _write(builder, document, options)
    source, text, found = builder.finish()
    return ParsedBook(
        source=source,
        text=text,
        paragraphs=found,
        title=document.about.get("Title", ""),
        author=document.about.get("Author", ""),
        language=find_language(document.about.get("Language", "")),
        encoding="pdf",
        notices=(f"{name}: a PDF is read as well as it can be; an EPUB or FB2 is better",),
    )


def _read_document(data: bytes, name: str) -> _Document:
    try:
        import pypdfium2
    except ModuleNotFoundError:
        raise UserError(
            f'{name} is a PDF, which needs one more library: pip install "tts-book[pdf]"'
        ) from None
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise UserError(f"{name} is locked with a password: unlock it first") from None
        raise UserError(f"{name} is damaged, or no PDF at all: get it again") from None
    try:
        if len(document) > MOST_PAGES:
            raise UserError(f"{name} has {len(document):,} pages: cut it into volumes")
        found = [_read_page(document, number) for number in range(len(document))]
        pages = [order_lines(lines) for lines, _ in found]
        unmapped = sum(len(lines) * share for lines, share in found)
        if unmapped > _UNMAPPED * sum(len(lines) for lines, _ in found):
            raise UserError(
                f"{name} does not say which letters its font shows (no Unicode map): run it "
                "through OCR first"
            )
        about = {key: value for key, value in document.get_metadata_dict().items() if value}
        return _Document(pages, _bookmarks(document), about)
    except pypdfium2.PdfiumError:
        raise UserError(f"{name} is damaged: get it again") from None
    finally:
        document.close()


def _bookmarks(document: Any) -> dict[int, list[tuple[str, int]]]:
    found: dict[int, list[tuple[str, int]]] = {}
    for mark in document.get_toc(max_depth=_DEEPEST):
        target = mark.get_dest()
        page = target.get_index() if target is not None else None
        if page is not None:
            found.setdefault(page, []).append((mark.get_title(), mark.level + 1))
    return found


# One page


def _read_page(document: Any, number: int) -> tuple[list[PdfLine], float]:
    """The lines of a page, and the share of its letters that are not known."""
    page = document[number]
    try:
        text = page.get_textpage()
        try:
            reader = _PageReader(text, number)
            return list(reader.lines()), reader.unmapped_share()
        finally:
            text.close()
    finally:
        page.close()


class _PageReader:
    """Reads the characters of a page with their places and sizes."""

    def __init__(self, page: Any, number: int) -> None:
        from pypdfium2 import raw

        self._raw, self._page, self._number = raw, page, number
        self._box = raw.FS_RECTF()
        self._font = ctypes.create_string_buffer(256)
        self._flags = ctypes.c_int(0)
        self._letters: list[str] = []

    def lines(self) -> Iterator[PdfLine]:
        count = self._page.count_chars()
        self._letters = [
            _character(self._raw.FPDFText_GetUnicode(self._page, at)) for at in range(count)
        ]
        rows: list[tuple[list[int], bool]] = []
        start = 0
        for at in range(count + 1):
            letter = self._letters[at] if at < count else "\n"
            if letter in _HYPHENS or letter in "\r\n":
                last = letter in "\r\n"
                is_parted = not last and self._ends_line(at)
                if last or is_parted:
                    rows.append((self._trimmed(start, at), is_parted))
                    start = at + 1
                else:
                    self._letters[at] = "-"
        rows = [row for row in rows if row[0]]
        for chars, is_parted in self._with_small_numbers(rows):
            yield self._line(chars, is_parted)

    def _ends_line(self, at: int) -> bool:
        """Whether the hyphen at `at` is followed by another line rather than by its word."""
        after = at + 1
        if after >= len(self._letters) or self._letters[after] in "\r\n":
            return True
        return abs(self._place(after)[1] - self._place(max(0, at - 1))[1]) > 2

    def _trimmed(self, start: int, stop: int) -> list[int]:
        """The characters of a line without the blanks around them."""
        while start < stop and self._letters[start].isspace():
            start += 1
        while stop > start and self._letters[stop - 1].isspace():
            stop -= 1
        return list(range(start, stop))

    def _with_small_numbers(
        self, rows: list[tuple[list[int], bool]]
    ) -> Iterator[tuple[list[int], bool]]:
        """The lines, high raised numbers not as lines of their own but where they are raised."""
        hosts: list[tuple[list[int], bool]] = []
        waiting: list[int] = []
        for chars, is_parted in rows:
            if waiting and not self._insert(waiting, chars):
                hosts.append((waiting, False))
            waiting = []
            if hosts and self._goes_on(hosts[-1][0], chars):
                hosts[-1] = ([*hosts[-1][0], *chars], is_parted)
            elif len(chars) > _DIGITS or not all(self._letters[at].isdecimal() for at in chars):
                hosts.append((chars, is_parted))
            elif not hosts or not self._insert(chars, hosts[-1][0]):
                waiting = chars
        yield from hosts
        if waiting:
            yield waiting, False

    def _goes_on(self, line: list[int], rest: list[int]) -> bool:
        """Whether `rest` is the rest of a line that a raised number has broken off."""
        number = line[-1]
        if not self._letters[number].isdecimal() or number > rest[0]:
            return False
        size = self._line_size(line)
        is_beside = 0 <= self._place(rest[0])[0] - self._place(number)[2] + 0.1 < _CLOSE * size
        is_level = abs(self._place(rest[0])[1] - self._place(line[0])[1]) < _CLOSE * size
        return is_beside and is_level and self._size(number) < _RAISED * size

    def _insert(self, number: list[int], line: list[int]) -> bool:
        """Puts a number into the line above which it is raised, if it is."""
        left, bottom, _ = self._place(number[0])
        right = self._place(number[-1])[2]
        size, low = self._line_size(line), self._place(line[0])[1]
        reaches = self._place(line[0])[0] < left < self._place(line[-1])[2] + _DIGITS * size
        is_beside = low - 0.5 * size < bottom < low + size
        if not (reaches and is_beside and self._size(number[0]) < _RAISED * size):
            return False
        at = next(
            (n for n, c in enumerate(line) if self._is_ink(c) and self._place(c)[0] > left - 0.1),
            len(line),
        )
        is_close = at == len(line) or self._place(line[at])[0] < right + _CLOSE * size
        while is_close and at and not self._is_ink(line[at - 1]):
            at -= 1
            del line[at]  # the blank that was seen where the number is
        line[at:at] = number
        return True

    def _is_ink(self, at: int) -> bool:
        return not self._letters[at].isspace()

    def _line(self, chars: list[int], parted: bool) -> PdfLine:
        size = self._line_size(chars)
        left, bottom, _ = self._place(chars[0])
        marks = tuple(self._marks(chars, size))
        right = self._place(chars[-1])[2]
        text = "".join(self._letters[at] for at in chars)
        if len(text) > 1 and text[-1] in _LINE_HYPHENS and text[-2].isalpha():
            text, parted = text[:-1], True
        gaps = tuple(self._gaps(chars[: len(text)], size))
        is_mono = self._is_mono(chars)
        return PdfLine(self._number, text, size, left, right, bottom, marks, parted, gaps, is_mono)

    def _line_size(self, chars: list[int]) -> float:
        """The larger one of the sizes that a good part of a line is set in: commands set small
        among its words say nothing."""
        step = max(1, len(chars) // _SAMPLES)
        sizes = sorted((self._size(at) for at in chars[::step]), reverse=True)
        return sizes[len(sizes) // 4]

    def _gaps(self, chars: list[int], size: float) -> Iterator[tuple[int, float, float]]:
        """Blanks between words as wide as those between columns."""
        last = chars[0]
        for at, char in enumerate(chars):
            if not self._is_ink(char):
                continue
            if at and not self._is_ink(chars[at - 1]):
                right, left = self._place(last)[2], self._place(char)[0]
                if left - right > _WIDE * size:
                    yield at, right, left
            last = char

    def _is_mono(self, chars: list[int]) -> bool:
        """Whether a line is set in a typewriter's letters, as code is."""
        places = [at for at in chars if self._letters[at].isalnum()]
        samples = {places[0], places[len(places) // 2], places[-1]} if places else ()
        return bool(samples) and all(self._is_fixed(at) for at in samples)

    def _is_fixed(self, at: int) -> bool:
        size = self._raw.FPDFText_GetFontInfo(
            self._page, at, self._font, len(self._font), self._flags
        )
        name = self._font.raw[: max(0, size - 1)].decode("utf-8", "replace").casefold()
        return bool(self._flags.value & 1) or any(part in name for part in _FIXED_FONTS)

    def unmapped_share(self) -> float:
        """The share of letters whose meaning the font does not give."""
        count = self._page.count_chars()
        sample = range(0, count, max(1, count // _MAPPED))
        faults = sum(self._raw.FPDFText_HasUnicodeMapError(self._page, at) == 1 for at in sample)
        return faults / len(sample) if sample else 0.0

    def _marks(self, chars: list[int], size: float) -> Iterator[SmallNumber]:
        """Small digits in the line: they lead to notes, or are powers and indices."""
        at = 0
        while at < len(chars):
            first = at
            while at < len(chars) and self._is_small_digit(chars[at], size):
                at += 1
            if at > first:
                beside = chars[first - 1] if first else chars[min(at, len(chars) - 1)]
                rise = self._baseline(chars[first]) - self._baseline(beside)
                if abs(rise) > _SHIFTED * size:
                    yield SmallNumber(first, at, is_lowered=rise < 0)
            at += 1

    def _is_small_digit(self, at: int, size: float) -> bool:
        return self._letters[at].isdecimal() and self._size(at) < _RAISED * size

    def _size(self, at: int) -> float:
        size = float(self._raw.FPDFText_GetFontSize(self._page, at))
        if size > _TINY:
            return size
        self._raw.FPDFText_GetLooseCharBox(self._page, at, self._box)
        return float(self._box.top - self._box.bottom)

    def _baseline(self, at: int) -> float:
        x, y = ctypes.c_double(0), ctypes.c_double(0)
        self._raw.FPDFText_GetCharOrigin(self._page, at, x, y)
        return y.value

    def _place(self, at: int) -> tuple[float, float, float]:
        """Left, bottom and right of a character."""
        if not self._raw.FPDFText_GetLooseCharBox(self._page, at, self._box):
            return 0.0, 0.0, 0.0
        return float(self._box.left), float(self._box.bottom), float(self._box.right)


def _character(code: int) -> str:
    return (
        "\ufffd" if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF else chr(ctypes.c_uint(code).value)
    )


# All pages


def _write(builder: Builder, document: _Document, options: ReadOptions) -> None:
    """Paragraphs in order; what interrupts one at the end of a page comes after it."""
    writer = _PdfWriter(builder, document, options)
    found = pdf_lines.find_roles(document.pages)
    writer.labels = [
        frozenset(
            label[0]
            for line, role in zip(page, known, strict=True)
            if role is Role.NOTE and (label := _LABEL.match(line.text))
        )
        for page, known in zip(document.pages, found, strict=True)
    ]
    for number, page in enumerate(document.pages):
        for line, role in zip(page, found[number], strict=True):
            writer.add(line, role)
    writer.finish()


class _PdfWriter:
    def __init__(self, builder: Builder, document: _Document, options: ReadOptions) -> None:
        self._builder, self._pages = builder, document.pages
        self._bookmarks = document.bookmarks
        self._reads_notes = options.everything or options.notes != "skip"
        self._measure = Measure.of(document.pages)
        self._margins = [
            [Margins.of([line for line in page if line.column == column]) for column in (0, 1)]
            for page in document.pages
        ]
        self.labels: list[frozenset[str]] = []  # of the notes of each page
        self._known = pdf_lines.count_words(document.pages)
        sizes = {round(line.size) for page in document.pages for line in page if self._is_big(line)}
        self._ranks = sorted(sizes, reverse=True)
        self._before: PdfLine | None = None
        self._level = 0
        self._in_code = False
        self._waiting: list[tuple[PdfLine, Role]] = []

    def add(self, line: PdfLine, role: Role) -> None:
        if role is Role.CODE:
            self._add_code(line)
            return
        if role is not Role.BODY:
            self._waiting.append((line, role))
            return
        self._in_code = False
        level = self._heading(line)
        if self._begins(line, level):
            self._end()
            self._builder.open(Kind.HEADING if level else Kind.PROSE, level)
        elif self._before and self._before.is_parted:
            self._join(self._before, line)
        self._put(line)
        self._before, self._level = line, level

    def _add_code(self, line: PdfLine) -> None:
        """Lines of code that follow each other are one example."""
        if not self._in_code:
            self._end()
            self._builder.open_code()
            self._before, self._level, self._in_code = None, 0, True
        self._builder.verbatim = 1
        self._builder.write(line.text + ("-" if line.is_parted else ""))
        self._builder.line_end()
        self._builder.verbatim = 0

    def finish(self) -> None:
        self._end()

    def _is_big(self, line: PdfLine) -> bool:
        return pdf_lines.is_big(line, self._measure.size)

    def _heading(self, line: PdfLine) -> int:
        """The level of a heading that the bookmarks know, or else that is set larger; 0: none."""
        key = _key(line.text)
        for title, level in self._bookmarks.get(line.page, ()):
            if key and (key == _key(title) or (len(key) > 8 and _key(title).startswith(key))):
                return level
        if self._bookmarks or not self._is_big(line):
            return 0
        return min(_DEEPEST, 1 + self._ranks.index(round(line.size)))

    def _begins(self, line: PdfLine, level: int) -> bool:
        before = self._before
        if before is None:
            return True
        if level or self._level:
            return level != self._level or line.page != before.page
        here = self._margins[line.page][line.column]
        there = self._margins[before.page][before.column]
        return pdf_lines.begins_paragraph(before, line, here, there, self._measure)

    def _join(self, before: PdfLine, line: PdfLine) -> None:
        if not pdf_lines.keeps_hyphen(before.text, line.text, self._known):
            self._builder.drop(self._builder.length - 1, "line-end hyphen")

    def _put(self, line: PdfLine) -> None:
        self._builder.label(f"page {line.page + 1}")
        at = 0
        for mark in line.marks:
            self._builder.write(line.text[at : mark.start])
            begin = self._builder.length
            number = line.text[mark.start : mark.stop]
            self._builder.write(number)
            if mark.is_lowered:
                self._builder.replace(begin, to_subscript(number) or number)
            elif number in self.labels[line.page] or is_note_mark(line.text[: mark.start]):
                self._builder.drop(begin, "note mark")
            elif mark.start:
                self._builder.replace(begin, to_superscript(number) or number)
            at = mark.stop
        self._builder.write(line.text[at:])
        self._builder.write("-" if line.is_parted else " ")

    def _end(self) -> None:
        """Ends the paragraph and returns what stood in its way."""
        self._builder.close()
        for line, role in self._waiting:
            is_read = role is Role.NOTE and self._reads_notes
            self._builder.label(f"page {line.page + 1}")
            self._builder.open(Kind.PROSE if is_read else Kind.LEFT_OUT, reason=str(role))
            self._builder.write(line.text)
        self._builder.close()
        self._waiting = []


def _key(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
