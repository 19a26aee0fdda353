"""One text into chapters, by its headings.

A chapter is a heading with all that follows it up to the next chapter; deeper headings inside it
are breaks. Parts, books and volumes that say nothing themselves are spoken at the head of their
first chapter and named in the titles of all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from tts_book.model import Break, BreakAt, Chapter, Origin, Run, Skip, Source
from tts_book.text.front_back_matter import PARTS, OutlineItem
from tts_book.text.headings import HeadingKind, tidy_title
from tts_book.text.normalize import Kind, Paragraph, drop_paragraph, join_skips, trim_paragraph
from tts_book.text.outline import find_headings

_SUBSTANTIAL = 500  # characters: what stands before the first heading is then its own chapter
_PREFACED = 400  # characters: a part that says as much is its own chapter
_ORNAMENTS = " *=~_•·"
_FEW = 2  # lines without marks that make a marked heading a part, not a chapter
_HOURS = 30_000  # characters below a heading that make it a part rather than a chapter


@dataclass(frozen=True, slots=True)
class HeadedSection:
    """A heading (or none, at the very beginning) and what follows it up to the next heading."""

    title: str
    depth: int
    sort: HeadingKind | None
    items: tuple[OutlineItem, ...]
    is_marked: bool = False

    @property
    def names(self) -> tuple[str, str]:
        """The title and its first line, as titles are compared."""
        heading = self.items[0].heading
        return self.title.casefold(), heading.title.casefold() if heading else ""

    @property
    def prose(self) -> int:
        """Characters that are neither heading nor title."""
        return sum(len(i.text) for i in self.items if not i.heading and not i.is_title)


@dataclass(slots=True)
class _Draft:
    title: str
    items: list[OutlineItem] = field(default_factory=list)


def divide_chapters(
    source: Source,
    text: str,
    paragraphs: Iterable[Paragraph],
    *,
    title: str,
    opening: str = "Opening",
    afterword: str = "Afterword",
    split: bool = True,
    everything: bool = False,
    notes: bool = False,
    is_chapter: Callable[[str], bool] | None = None,
) -> tuple[Chapter, ...]:
    """The chapters of one source, numbered from 1; empty if it has nothing to say.

    `text` is the source. `title` names the only chapter of a text without headings, `opening`
    what stands before the first one, `afterword` what stands behind the words `THE END`.
    Without `split` all is one chapter, its headings breaks.
    `is_chapter` knows the lines that begin chapters; `everything` and `notes` as in `outline`.
    """
    found = list(paragraphs)
    told = find_headings(
        found, everything=everything, notes=notes, is_chapter=is_chapter, afterword=afterword
    )
    items = [_dropped(text, item) for item in told]
    if not everything and not any(item.text for item in items):
        items = find_headings(found, everything=True, is_chapter=is_chapter)
    sections = list(_sections(items))
    drafts = list(_drafts(sections, title, opening)) if split else _whole(items, title)
    drafts = list(_with_words(drafts))
    titles = make_titles_unique(draft.title for draft in drafts)
    return tuple(
        _chapter(source, text, number, name, draft.items)
        for number, (name, draft) in enumerate(zip(titles, drafts, strict=True), 1)
    )


def make_titles_unique(titles: Iterable[str]) -> list[str]:
    """The same titles, the second and later of equal ones numbered; one without words (a poem
    headed by three stars) is its own number."""
    seen: Counter[str] = Counter()
    taken: set[str] = set()
    made = []
    for number, title in enumerate(titles, 1):
        name = title or str(number)
        while name.casefold() in taken:
            seen[title] += 1
            name = f"{title} ({seen[title] + 1})"
        taken.add(name.casefold())
        made.append(name)
    return made


def _dropped(text: str, item: OutlineItem) -> OutlineItem:
    if item.heading and not item.drop:
        return replace(item, paragraph=trim_paragraph(text, item.paragraph, _ORNAMENTS))
    if not item.drop:
        return item
    return OutlineItem(drop_paragraph(text, item.paragraph, item.drop))


def _sections(items: Sequence[OutlineItem]) -> Iterator[HeadedSection]:
    start = 0
    bounds = [at for at, item in enumerate(items) if item.heading]
    for stop in [*bounds, len(items)]:
        if stop > start:
            yield _section(items[start:stop])
        start = stop


def _section(items: Sequence[OutlineItem]) -> HeadedSection:
    first = items[0]
    if first.heading is None:
        return HeadedSection("", 0, None, tuple(items))
    lines = [first.heading.title, *(tidy_title(item.text) for item in items if item.is_title)]
    title = ". ".join(filter(None, lines))
    found = first.heading
    return HeadedSection(title, first.depth, found.sort, tuple(items), found.level > 0)


def _whole(items: list[OutlineItem], title: str) -> list[_Draft]:
    first = next((item for item in items if item.text), None)
    name = first.heading.title if first is not None and first.heading else ""
    return [_Draft(name or title, items)]


def _drafts(sections: Sequence[HeadedSection], title: str, opening: str) -> Iterator[_Draft]:
    tops = _alone_on_top(sections)
    containers = _containers(sections, tops)
    chain: list[tuple[int, str]] = []
    pending: list[OutlineItem] = []
    draft: _Draft | None = None
    depth = 0
    for at, section in enumerate(sections):
        if draft is not None and section.depth > depth and not containers[at]:
            draft.items.extend(section.items)
            continue
        if section.sort is None:
            if len(sections) > 1 and section.prose >= _SUBSTANTIAL:
                yield _Draft(opening, list(section.items))
            elif len(sections) == 1:
                yield _Draft(title, list(section.items))
            else:
                pending.extend(section.items)
            continue
        if draft is not None:
            yield draft
            draft = None
        chain = [(d, name) for d, name in chain if d < section.depth]
        pending.extend(section.items)
        name = " — ".join(filter(None, [*(name for _, name in chain), section.title]))
        if containers[at]:
            if title.casefold() not in section.names and at not in tops:
                chain.append((section.depth, section.title))
            if section.prose >= _PREFACED:
                yield _Draft(name, pending)
                pending = []
        elif section.prose or _has_inner(sections, at):
            draft, depth, pending = _Draft(name, pending), section.depth, []
    if draft is not None:
        draft.items.extend(pending)
        yield draft
    elif pending:
        yield _Draft(title, pending)


def _has_inner(sections: Sequence[HeadedSection], at: int) -> bool:
    return at + 1 < len(sections) and sections[at + 1].depth > sections[at].depth


def _containers(sections: Sequence[HeadedSection], tops: set[int]) -> list[bool]:
    """Which sections are parts: they hold chapters rather than being one."""
    below = _below(sections)
    return [
        _has_inner(sections, at)
        and (
            (at in tops and section.prose < _PREFACED)
            or _is_container(section, below[at], _inner(sections, at), at in tops)
        )
        for at, section in enumerate(sections)
    ]


def _inner(sections: Sequence[HeadedSection], at: int) -> list[HeadedSection]:
    """The sections directly below the one at `at`."""
    found: list[HeadedSection] = []
    for section in sections[at + 1 :]:
        if section.depth <= sections[at].depth or len(found) > _FEW:
            break
        if section.depth <= sections[at + 1].depth:
            found.append(section)
    return found


def _alone_on_top(sections: Sequence[HeadedSection]) -> set[int]:
    """The book's own title, where that is a heading too: no other with anything below it stands
    as high."""
    headed = [at for at, section in enumerate(sections) if section.sort is HeadingKind.PLAIN]
    highest = min((sections[at].depth for at in headed), default=0)
    tops = [
        at
        for at in headed
        if sections[at].depth == highest and (sections[at].prose or _has_inner(sections, at))
    ]
    return set(tops) if len(tops) == 1 else set()


def _is_container(
    section: HeadedSection, below: int, inner: list[HeadedSection], is_top: bool
) -> bool:
    if section.sort in PARTS:
        return True
    if section.sort in (HeadingKind.FRONT, HeadingKind.BACK):
        return section.prose == 0
    if section.sort is not HeadingKind.PLAIN:
        return False
    if section.is_marked and not inner[0].is_marked and len(inner) < _FEW:
        return False
    if any(part.sort in (*PARTS, HeadingKind.CHAPTER) for part in inner):
        return True
    return below > _HOURS and (is_top or section.prose < _PREFACED)


def _below(sections: Sequence[HeadedSection]) -> list[int]:
    """Characters of all that stands below each section."""
    totals = [0] * len(sections)
    open_: list[int] = []
    reached = 0
    for at, section in enumerate(sections):
        while open_ and sections[open_[-1]].depth >= section.depth:
            closed = open_.pop()
            totals[closed] = reached - totals[closed]
        reached += section.prose
        totals[at] = reached
        open_.append(at)
    for at in open_:
        totals[at] = reached - totals[at]
    return totals


def _with_words(drafts: Iterable[_Draft]) -> Iterator[_Draft]:
    """Drafts that have something to say; what the others skipped goes with a neighbour."""
    waiting: list[OutlineItem] = []
    last: _Draft | None = None
    for draft in drafts:
        if not any(item.text for item in draft.items):
            waiting.extend(draft.items)
            continue
        draft.items[:0] = waiting
        waiting = []
        if last is not None:
            yield last
        last = draft
    if last is not None:
        last.items.extend(waiting)
        yield last


def _chapter(
    source: Source, whole: str, number: int, title: str, items: Sequence[OutlineItem]
) -> Chapter:
    pieces: list[str] = []
    runs: list[Run] = []
    skips: list[Skip] = []
    breaks: list[BreakAt] = []
    length = end = 0
    for item in items:
        paragraph = item.paragraph
        skips.extend(paragraph.skips)
        if paragraph.block.kind is Kind.SCENE and end and not _ends_at(breaks, end):
            breaks.append(BreakAt(end, Break.SCENE))
        if not paragraph.text:
            continue
        shift = length
        # Not `replace`, which takes four times as long, and long books have a million runs.
        runs.extend(Run(r.start + shift, r.source, r.length, r.covers) for r in paragraph.runs)
        pieces.append(paragraph.text)
        end = length + len(paragraph.text)
        length = end + 2
        if item.heading or (item.is_title and not paragraph.block.is_plain_line):
            breaks.append(BreakAt(end, Break.HEADING))
    if breaks and breaks[-1].offset == end and breaks[-1].kind is Break.SCENE:
        breaks.pop()
    origin = Origin(source, tuple(runs))
    # Notes that are read at their marks have come from elsewhere.
    left = join_skips(whole, sorted(skips, key=attrgetter("start")))
    return Chapter(number, title, "\n\n".join(pieces), origin, left, tuple(breaks))


def _ends_at(breaks: Sequence[BreakAt], offset: int) -> bool:
    return bool(breaks) and breaks[-1].offset == offset
