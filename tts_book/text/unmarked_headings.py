"""Headings that only their place marks: bare numbers and titles on lines of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from tts_book.text.front_back_matter import PARTS, WORDED, OutlineItem
from tts_book.text.headings import NUMERALS, Heading, HeadingKind, parse_heading, tidy_title
from tts_book.text.normalize import Block, Kind, Paragraph

_MANY = 20  # bare numbers that follow each other closely: notes or verses, not chapters
_CLOSE = 150  # characters
_TITLED = 100  # characters between numbers with titles or in words; in a list they stand closer
_MISSING = 3  # headings of a sequence that may be damaged in the source, one after the other
_TAIL = 0.1  # of a book: numbers that begin so near to its end and stand so close are notes
_NOTE = 300  # characters of a usual note

Counts = dict[tuple[HeadingKind, bool], int]


def keep_counted_numerals(items: list[OutlineItem]) -> list[OutlineItem]:
    """Keeps the bare numerals that count up from one inside their part, or on from the part
    before; the others are no headings. `I` and below it `Introduction` is one heading."""
    titles = _titles_of_numerals(items)
    kept: dict[int, HeadingKind] = {}
    segment: list[int] = []
    reached: Counts = {}
    start, length = 0, items[-1].paragraph.block.stop if items else 0  # the part in the source
    for at, item in enumerate([*items, None]):
        found = item.heading if item is not None and not item.drop else None
        if item is None or (found and found.sort in WORDED and at not in titles):
            stop = item.paragraph.block.start if item is not None else length
            notes = start + (1 - _TAIL) * (stop - start)
            counted, reached = _counted(items, segment, reached, notes)
            kept.update(counted)
            segment, start = [], stop
            if found and found.sort not in (*PARTS, HeadingKind.FRONT):
                reached = {}
        elif found and found.sort in NUMERALS:
            segment.append(at)
    return [_settled(item, kept.get(at), titles.get(at) in kept) for at, item in enumerate(items)]


def _settled(item: OutlineItem, style: HeadingKind | None, is_title: bool) -> OutlineItem:
    if item.heading is None:
        return item
    if is_title:
        return replace(item, heading=None, is_title=True)
    if item.heading.sort not in NUMERALS:
        return item
    return replace(item, heading=replace(item.heading, sort=style) if style else None)


def _titles_of_numerals(items: Sequence[OutlineItem]) -> dict[int, int]:
    """Lines such as `Introduction` right below a bare numeral, each with that numeral."""
    spoken = [at for at, item in enumerate(items) if item.text and not item.drop]
    found: dict[int, int] = {}
    for before, at in pairwise(spoken):
        number, line = items[before].heading, items[at].heading
        if not number or not line or line.sort not in (HeadingKind.FRONT, HeadingKind.BACK):
            continue
        if number.sort in NUMERALS and number.is_alone and not line.level:
            found[at] = before
    return found


def _counted(
    items: Sequence[OutlineItem], segment: list[int], reached: Counts, notes: float
) -> tuple[dict[int, HeadingKind], Counts]:
    """The numerals of one part that are kept, and how far each way of counting has come. Digits
    that begin to count behind the offset `notes` of the source do not count chapters."""
    kept: dict[int, HeadingKind] = {}
    now: Counts = {}
    for style in NUMERALS:
        for alone in (True, False):
            before = reached.get((style, alone), 0)
            rows = [
                (row, last)
                for row, last in _sequences(items, segment, style, alone, before)
                if style is not HeadingKind.ARABIC or items[row[0]].paragraph.block.start < notes
            ]
            kept.update((at, style) for row, _ in rows for at in row)
            if rows:
                now[style, alone] = rows[-1][1]
                break
    return kept, now


def _sequences(
    items: Sequence[OutlineItem], segment: list[int], style: HeadingKind, alone: bool, before: int
) -> Iterator[tuple[list[int], int]]:
    """Runs of numerals 1, 2, 3… of one style, with or without titles, and their last number. The
    first run may go on from the number `before`."""
    row: list[int] = []
    last = _start(items, segment, style, alone, before)
    goes_on = last == before > 0
    for at in segment:
        found = items[at].heading
        if found is None or not _counts(found, style, alone):
            continue
        numbers = _numbers(found, style)
        steps = [n - last for n in numbers if 0 < n - last <= (_MISSING if row else 1)]
        if steps and (steps[0] == 1 or min(steps) == 1 or style is HeadingKind.ROMAN):
            last += min(steps)
            row.append(at)
        elif 1 in numbers:
            if goes_on or _is_sequence(items, row):
                yield row, last
            row, last, goes_on = [at], 1, False
    if row and (goes_on or _is_sequence(items, row)):
        yield row, last


def _counts(found: Heading, style: HeadingKind, alone: bool) -> bool:
    """Whether a numeral may belong to a run of this style: numbers in digits go with others that
    have a title, or with others that have none; those in words are headings either way."""
    return found.is_alone is alone or style is found.sort is HeadingKind.WORD


def _start(
    items: Sequence[OutlineItem], segment: list[int], style: HeadingKind, alone: bool, before: int
) -> int:
    """The number that the first numeral of a part follows: that of the part before if it goes on
    from there; 1 where a part begins with II and III, because its I was lost; else 0."""
    found = [h for at in segment if (h := items[at].heading) and _counts(h, style, alone)][:2]
    if before and found and before + 1 in _numbers(found[0], style):
        return before
    values = [heading.numbers for heading in found if heading.sort is style]
    return int(style is HeadingKind.ROMAN and values == [(2,), (3,)])


def _numbers(found: Heading, style: HeadingKind) -> tuple[int, ...]:
    """What a numeral may mean among Roman or Arabic ones: a scanned `111` may be III."""
    if found.sort is style:
        return found.numbers if style is HeadingKind.ROMAN else found.numbers[:1]
    return found.numbers[1:] if style is HeadingKind.ROMAN and found.numbers[0] > 1 else ()


def _is_sequence(items: Sequence[OutlineItem], row: list[int]) -> bool:
    if len(row) < 2:
        return False
    blocks = [items[at].paragraph.block for at in row]
    spaces = [after.start - before.stop for before, after in pairwise(blocks)]
    first = items[row[0]].heading
    if first is None:
        return False
    if first.sort is HeadingKind.ARABIC:
        length = items[-1].paragraph.block.stop
        is_tail = length - blocks[0].start < _TAIL * length
        if is_tail and median([*spaces, length - blocks[-1].stop]) < _NOTE:
            return False
        if len(row) >= _MANY:
            return median(spaces) >= _CLOSE
    is_bare = first.is_alone and first.sort is not HeadingKind.WORD
    return is_bare or median(spaces) >= _TITLED


# Headings that neither a word nor a number marks, only where they stand: the titles of stories
# between blank lines in a text that has none elsewhere, and what follows the end of a book.


_LONGEST_TITLE = 80  # characters
_MOST_SPACED = 0.3  # of the paragraphs follow a blank line: more, and blank lines say nothing
_FEWEST_TITLES = 3
_LEAST_BEGUN = 0.7  # of the counts from one begin right below a title
_NEAR = 3  # paragraphs: a title, and a motto below it
_LEAST_STORY = 2_000  # characters between two titles
_LEAST_UNNUMBERED_STORY = 5_000
_LONG_STORY = 60_000  # beyond that its numbers are chapters rather than breaks
_MOST = 0.5  # of a book below one heading: it has chapters that are named in another way
_LEAST_AFTERWORD = 500
_LONGEST_END, _LONG_END = 0.4, 30_000  # of a book, characters: what is longer is no postscript
_ENDS = frozenset(
    ("конец", "the end", "end", "finis", "fin", "ende", "fine", "koniec", "кінець", "канец")
)


def find_story_titles(items: list[OutlineItem]) -> list[OutlineItem]:
    """The items with the titles of a collection's stories as headings."""
    spoken = [at for at, item in enumerate(items) if item.text and not item.drop]
    if _says_its_chapters(items) or not _stands_close(items, spoken):
        return items
    titles = [at for at, below in pairwise(spoken) if _is_title_line(items[at], items[below])]
    numbers = {at for at in spoken if (h := items[at].heading) and h.sort in NUMERALS}
    named = {below for at, below in pairwise(spoken) if at in numbers}
    titles = [at for at in titles if at not in named]
    begun = _begun_below(items, spoken, set(titles))
    least = _LEAST_STORY if begun >= _LEAST_BEGUN else _LEAST_UNNUMBERED_STORY
    numbered = any(item.heading and item.heading.sort in NUMERALS for item in items)
    if numbered and begun < _LEAST_BEGUN and not _is_coarse(items):
        return items
    titles = _far_apart(items, titles, least)
    if len(titles) < _FEWEST_TITLES:
        return items
    sizes = [_size(items[a:b]) for a, b in pairwise([*titles, len(items)])]
    kind = HeadingKind.PART if median(sizes) > _LONG_STORY else HeadingKind.CHAPTER
    made = list(items)
    for at in titles:
        title = tidy_title(items[at].text)
        made[at] = replace(items[at], heading=Heading(kind, title.casefold(), title))
    return made


def _is_coarse(items: Sequence[OutlineItem]) -> bool:
    """Whether one heading, or none, has most of the book below it."""
    bounds = [at for at, item in enumerate(items) if item.heading]
    sizes = [_size(items[a:b]) for a, b in pairwise([0, *bounds, len(items)])]
    return max(sizes) > _MOST * sum(sizes)


def _says_its_chapters(items: Sequence[OutlineItem]) -> bool:
    """Whether markup or words name chapters: then no other line is one."""
    return any((h := item.heading) and (h.level or h.sort is HeadingKind.CHAPTER) for item in items)


def _stands_close(items: Sequence[OutlineItem], spoken: Sequence[int]) -> bool:
    spaced = sum(items[at].paragraph.block.gap > 0 for at in spoken)
    return spaced <= _MOST_SPACED * len(spoken)


def _is_title_line(item: OutlineItem, below: OutlineItem) -> bool:
    """Whether a short line between blank lines reads like a title."""
    text, block = item.text, item.paragraph.block
    if item.heading or block.kind is not Kind.PROSE or not block.gap or len(text) > _LONGEST_TITLE:
        return False
    if not below.paragraph.block.gap and below.heading is None:
        return False
    if parse_heading(text) is not None:
        return False
    return text[0].isupper() and text[-1] not in ".,;:"


def _begun_below(items: Sequence[OutlineItem], spoken: Sequence[int], titles: set[int]) -> float:
    """Of the counts that begin at one, the share that begins below a title, or its motto."""
    begins = [
        not titles.isdisjoint(spoken[max(0, place - _NEAR) : place])
        for place, at in enumerate(spoken)
        if (h := items[at].heading) and h.sort in NUMERALS and 1 in h.numbers
    ]
    return sum(begins) / len(begins) if len(begins) > 1 else 0.0


def _far_apart(items: Sequence[OutlineItem], titles: list[int], least: int) -> list[int]:
    """The titles that have a story below them, up to the next title or part."""
    bounds = sorted(
        {*titles, len(items)}
        | {at for at, i in enumerate(items) if i.heading and i.heading.sort in WORDED}
    )
    ends = dict(pairwise(bounds))
    return [at for at in titles if _size(items[at : ends[at]]) >= least]


def _size(items: Sequence[OutlineItem]) -> int:
    return sum(len(item.text) for item in items if not item.drop)


# Letters and diaries


_LONGEST_DATE = 60  # characters of a line that is a date, with a place or a day of the week
_FEWEST_DATES = 4
_LEAST_ENTRY = 300  # characters in the median of what stands below a date
_LONGEST_ENTRY = 0.3  # of the book: the dates stand all through it
_VERSE = 80  # characters: where most is in shorter lines, dates stand below poems
_DATE_WORD = re.compile(r"[^\W_]+")
_MONTHS = frozenset((
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sept",
    "sep", "oct", "nov", "dec", "январь", "февраль", "март", "апрель", "май", "июнь", "июль",
    "август", "сентябрь", "октябрь", "ноябрь", "декабрь", "января", "февраля", "марта", "апреля",
    "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря", "січня",
    "лютого", "березня", "квітня", "травня", "червня", "липня", "серпня", "вересня", "жовтня",
    "листопада", "грудня", "januar", "februar", "märz", "mai", "juni", "juli", "oktober",
    "dezember", "jänner", "janvier", "février", "mars", "avril", "juin", "juillet", "août",
    "septembre", "octobre", "novembre", "décembre", "enero", "febrero", "marzo", "abril", "mayo",
    "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre", "gennaio",
    "febbraio", "aprile", "maggio", "giugno", "luglio", "settembre", "ottobre", "dicembre",
    "janeiro", "fevereiro", "março", "maio", "junho", "julho", "setembro", "outubro", "dezembro",
    "stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca", "lipca", "sierpnia", "września",
    "października", "listopada", "grudnia", "januari", "februari", "maart", "mei", "augustus",
))  # fmt: skip
_DATE_FILLERS = frozenset((
    "the", "of", "in", "on", "at", "am", "im", "в", "во", "de", "del", "di", "le", "числа",
    "года", "год", "г", "го", "е", "st", "nd", "rd", "th", "den", "dne", "r", "ce", "morning",
    "evening", "night", "утро", "утром", "вечер", "вечером", "ночь", "ночью", "день", "полдень",
    "noon", "midnight", "later",
))  # fmt: skip


def find_dated_entries(items: list[OutlineItem]) -> list[OutlineItem]:
    """The items with the dates of letters or of a diary as headings, where nothing else divides
    the book."""
    if _says_its_chapters(items) or not _is_coarse(items):
        return items
    dates = [at for at, item in enumerate(items) if _is_date_line(item)]
    if len(dates) < _FEWEST_DATES:
        return items
    short = [item for item in items if max(map(len, item.text.split("\n"))) < _VERSE]
    if 2 * _size(short) > _size(items) or _stand_inside(items, dates):
        return items
    sizes = [_size(items[a:b]) for a, b in pairwise([0, *dates, len(items)])]
    if max(sizes) > _LONGEST_ENTRY * sum(sizes) or median(sizes[1:]) < _LEAST_ENTRY:
        return items
    made = list(items)
    for at in dates:
        title = tidy_title(items[at].text)
        heading = Heading(HeadingKind.CHAPTER, title.casefold(), title)
        made[at] = replace(items[at], heading=heading)
    return made


def _stand_inside(items: Sequence[OutlineItem], dates: Sequence[int]) -> bool:
    """Whether most dates stand at the end of what they date, above the title of the next, or below
    a title of its own."""
    spoken = [at for at, item in enumerate(items) if item.text and not item.drop]
    places = {at: place for place, at in enumerate(spoken)}
    inside = 0
    for at in dates:
        before = spoken[max(0, places[at] - 1)]
        after = spoken[min(len(spoken) - 1, places[at] + 1)]
        inside += _names_something(items[after].text) or _is_loud(items[before])
    return 2 * inside > len(dates)


def _names_something(line: str) -> bool:
    return len(line) <= _LONGEST_TITLE and line[-1] not in '.,;:!?…»”")'


def _is_loud(item: OutlineItem) -> bool:
    """Whether a line is a number, or in capitals."""
    return len(item.text) <= _LONGEST_TITLE and item.text == item.text.upper()


def _is_date_line(item: OutlineItem) -> bool:
    """`April 8.`, `Суббота, 3-го мая 1846 года`, `London, May the 3rd`: a month, a day, and nothing
    that makes a sentence."""
    text = item.text
    if item.heading or item.drop or not 0 < len(text) <= _LONGEST_DATE:
        return False
    words = _DATE_WORD.findall(text)
    lower = [word.casefold() for word in words]
    if not any(word in _MONTHS for word in lower):
        return False
    return any(word[0].isdecimal() for word in words) and all(
        word[0].isupper() or word[0].isdecimal() or low in _MONTHS or low in _DATE_FILLERS
        for word, low in zip(words, lower, strict=True)
    )


def drop_long_ends(items: list[OutlineItem]) -> list[OutlineItem]:
    """The items without lines such as `Conclusion: …` that would have much of the book below them,
    and so are no ends of it."""
    bounds = [at for at, item in enumerate(items) if item.heading]
    total = _size(items)
    made = list(items)
    for at, stop in pairwise([*bounds, len(items)]):
        heading = items[at].heading
        if heading is None or heading.sort is not HeadingKind.BACK or heading.level:
            continue
        size = _size(items[at:stop])
        if size > _LONGEST_END * total and (not heading.is_alone or size > _LONG_END):
            made[at] = replace(items[at], heading=None)
    return made


def find_afterword(items: list[OutlineItem], title: str) -> list[OutlineItem]:
    """The items with a heading where something stands behind `THE END`: its own title, else
    `title`."""
    spoken = [at for at, item in enumerate(items) if item.text and not item.drop]
    ends = [
        place
        for place, at in enumerate(spoken)
        if items[at].heading is None and items[at].text.strip(" .!*").casefold() in _ENDS
    ]
    if not ends or ends[-1] + 2 >= len(spoken):
        return items
    first, second = spoken[ends[-1] + 1], spoken[ends[-1] + 2]
    rest = items[first:]
    before = [h for item in items[:first] if (h := item.heading) and not item.drop]
    if not before or any(item.heading and not item.drop for item in rest):
        return items
    if not _LEAST_AFTERWORD <= _size(rest) < _size(items[:first]):
        return items
    level = max((heading.level for heading in before), default=0)
    line = items[first].text
    has_title = len(line) <= _LONGEST_TITLE < len(items[second].text) and line[-1] not in ".,;:"
    name = tidy_title(line) if has_title else title
    heading = Heading(HeadingKind.BACK, name.casefold(), name, level=level)
    if has_title:
        return [*items[:first], replace(items[first], heading=heading), *items[first + 1 :]]
    start = items[first].paragraph.block.start
    empty = OutlineItem(Paragraph("", (), (), Block(start, start)), heading)
    return [*items[:first], empty, *items[first:]]
