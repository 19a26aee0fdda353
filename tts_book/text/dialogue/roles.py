"""A chapter's text in stretches, each of one role: the narrator's, or that of who speaks, as rules
find it or as marks in the text say."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from tts_book.errors import UserError
from tts_book.model import Book, Chapter, Skip
from tts_book.text.dialogue.direct_speech import DirectSpeech, find_utterances
from tts_book.text.dialogue.speakers import Attribution, attribute_speech
from tts_book.text.inline_rules import Edit
from tts_book.text.source_map import TracedText

NARRATOR = ""
_SAYABLE = re.compile(r"[^\W_]")

# What a speaker and a gender make: a role.
RoleOf = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class RoleSpan:
    """Characters `start` to `stop` of a chapter's text, read by one role."""

    start: int
    stop: int
    role: str


@dataclass(frozen=True, slots=True)
class ChapterRoles:
    """The stretches of a chapter that are not the narrator's, in order, and who says what."""

    spans: tuple[RoleSpan, ...] = ()
    attributions: tuple[Attribution, ...] = ()

    @property
    def rules(self) -> Counter[str]:
        """How many replies were given to a speaker by which rule."""
        return Counter(each.evidence.value for each in self.attributions)


def assign_roles(
    text: str,
    language: str,
    role_of: RoleOf,
    *,
    aliases: Mapping[str, str] | None = None,
    genders: Mapping[str, str] | None = None,
    tags_by_speaker: bool = False,
) -> ChapterRoles:
    """Who reads what of a chapter. `role_of` gives a role to a speaker and a gender ("" where they
    are not known), `NARRATOR` for the narrator; `tags_by_speaker`: whole replies in one voice."""
    utterances = find_utterances(text, language)
    attributions = attribute_speech(text, utterances, language, aliases, genders)
    spans = [
        RoleSpan(start, stop, role)
        for each in attributions
        if (role := role_of(each.name, each.gender)) != NARRATOR
        for start, stop in _spoken(each.utterance, tags_by_speaker)
        if _SAYABLE.search(text, start, stop)
    ]
    spans.sort(key=lambda span: span.start)
    return ChapterRoles(tuple(_apart(spans)), tuple(attributions))


def _spoken(utterance: DirectSpeech, with_tags: bool) -> Sequence[tuple[int, int]]:
    if with_tags and utterance.rule == "dash":
        return ((utterance.start, utterance.stop),)
    return utterance.spans


def _apart(spans: Sequence[RoleSpan]) -> Iterator[RoleSpan]:
    """Without those that lie in another one (a quotation within a reply)."""
    at = 0
    for span in spans:
        if span.start >= at:
            yield span
            at = span.stop


def split_by_role(
    text: str, start: int, stop: int, spans: Sequence[RoleSpan]
) -> Iterator[RoleSpan]:
    """A paragraph in stretches of one role that cover all of it; marks between them (a dash, a
    comma, quotation marks) go with the words before, else with those behind."""
    pieces: list[RoleSpan] = []
    at = start
    for span in spans:
        first, last = max(start, span.start), min(stop, span.stop)
        if first >= last:
            continue
        if first > at:
            pieces.append(RoleSpan(at, first, NARRATOR))
        pieces.append(RoleSpan(first, last, span.role))
        at = last
    if at < stop:
        pieces.append(RoleSpan(at, stop, NARRATOR))
    yield from _joined(text, pieces)


def _joined(text: str, pieces: Sequence[RoleSpan]) -> Iterator[RoleSpan]:
    made: list[RoleSpan] = []
    waiting: int | None = None  # where marks begin that wait for words
    for piece in pieces:
        start = piece.start if waiting is None else waiting
        waiting = None
        if not _SAYABLE.search(text, piece.start, piece.stop):
            if made:
                made[-1] = RoleSpan(made[-1].start, piece.stop, made[-1].role)
            else:
                waiting = start
        elif made and made[-1].role == piece.role:
            made[-1] = RoleSpan(made[-1].start, piece.stop, piece.role)
        else:
            made.append(RoleSpan(start, piece.stop, piece.role))
    if waiting is not None:
        made.append(RoleSpan(waiting, pieces[-1].stop, NARRATOR))
    yield from made


# Marks in the text that say who speaks: [voice:NAME]…[/voice], inside one chapter.


_MARK = re.compile(r"\[/?voice(?=[:\]/])[^\[\]\n]{0,200}\]?", re.I)
_MARKS = re.compile(rf"(?<!\s)\s*(?:{_MARK.pattern}\s*)+", re.I)
_OPENING = re.compile(r"\[voice:([^\]]*)\]", re.I)
_CLOSING = "[/voice]"
_REASON = "voice mark"


@dataclass(frozen=True, slots=True)
class MarkedSpan:
    """Characters `start` to `stop` of a chapter's text, which `name` reads; `place` is where the
    source says so."""

    start: int
    stop: int
    name: str
    place: str


def drop_voice_marks(line: str) -> str:
    """A line without its marks."""
    return _MARK.sub("", line).strip() if "[" in line else line


def take_voice_marks(book: Book) -> tuple[Book, dict[int, tuple[MarkedSpan, ...]]]:
    """The book without its marks, which count as left out, and what they say, by chapter number.
    Raises UserError for one that is not closed, closes nothing or cannot be read."""
    chapters: list[Chapter] = []
    spans: dict[int, tuple[MarkedSpan, ...]] = {}
    taken = 0
    for chapter in book.chapters:
        plain, found = _take_from_chapter(chapter)
        chapters.append(plain)
        taken += sum(len("".join(skip.text.split())) for skip in plain.skips)
        taken -= sum(len("".join(skip.text.split())) for skip in chapter.skips)
        if found:
            spans[chapter.number] = found
    ledger = replace(
        book.ledger, spoken=book.ledger.spoken - taken, skipped=book.ledger.skipped + taken
    )
    title = drop_voice_marks(book.title)
    return replace(book, title=title, chapters=tuple(chapters), ledger=ledger), spans


def _take_from_chapter(chapter: Chapter) -> tuple[Chapter, tuple[MarkedSpan, ...]]:
    groups = list(_MARKS.finditer(chapter.text))
    if not groups:
        return chapter, ()
    edits = [
        Edit(group.start(), group.end(), _blank_for(group, len(chapter.text))) for group in groups
    ]
    moved = _Moved(edits)
    spans = tuple(
        span
        for start, stop, name, place in _read_marks(chapter)
        if (span := MarkedSpan(moved.after(start), moved.before(stop), name, place)).start
        < span.stop
    )
    plain = TracedText(chapter.text, chapter.origin.runs).edit(edits)
    skips = (*chapter.skips, *_skips(chapter))
    return (
        replace(
            chapter,
            title=drop_voice_marks(chapter.title),
            text=plain.text,
            origin=replace(chapter.origin, runs=plain.runs),
            skips=tuple(sorted(skips, key=lambda skip: skip.start)),
            breaks=tuple(replace(at, offset=moved.before(at.offset)) for at in chapter.breaks),
        ),
        spans,
    )


def _blank_for(group: re.Match[str], length: int) -> str:
    """What stays of the white space around marks: the most that is there."""
    if group.start() == 0 or group.end() == length:
        return ""
    blanks = _MARK.split(group[0])
    return next((blank for blank in ("\n\n", "\n", " ") if any(blank in b for b in blanks)), "")


class _Moved:
    """Where positions are after edits."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        self._edits = edits
        lengths = (len(edit.new) - (edit.stop - edit.start) for edit in edits)
        self._shifts = [0, *accumulate(lengths)]
        self._starts = [edit.start for edit in edits]

    def before(self, position: int) -> int:
        """Of the end of something: before the white space that an edit leaves."""
        at = bisect_right(self._starts, position)
        if at and position <= self._edits[at - 1].stop:
            return self._starts[at - 1] + self._shifts[at - 1]
        return position + self._shifts[at]

    def after(self, position: int) -> int:
        """Of the beginning of something: behind the white space that an edit leaves."""
        at = bisect_right(self._starts, position)
        if at and position < self._edits[at - 1].stop:
            return self._edits[at - 1].stop + self._shifts[at]
        return position + self._shifts[at]


def _read_marks(chapter: Chapter) -> Iterator[tuple[int, int, str, str]]:
    """The text between each pair of marks, with the marks' own characters at its edges; the name
    and the place."""
    opened: tuple[int, str, str] | None = None
    for mark in _MARK.finditer(chapter.text):
        place = str(chapter.origin.place(mark.start()))
        opening = _OPENING.fullmatch(mark[0])
        name = opening[1].strip() if opening else ""
        if name and opened:
            raise UserError(
                f"{place}: {mark[0]} inside [voice:{opened[1]}]: close that with {_CLOSING} first."
            )
        if name:
            opened = (mark.start(), name, place)
        elif mark[0].casefold() != _CLOSING:
            raise UserError(
                f'{place}: "{mark[0]}" is not understood: write [voice:NAME] or {_CLOSING}.'
            )
        elif opened is None:
            raise UserError(f"{place}: {mark[0]} closes nothing: write [voice:NAME] before it.")
        else:
            yield opened[0], mark.end(), opened[1], opened[2]
            opened = None
    if opened:
        raise UserError(
            f"{opened[2]}: [voice:{opened[1]}] is not closed in its chapter: write {_CLOSING} "
            "where it ends."
        )


def _skips(chapter: Chapter) -> Iterator[Skip]:
    for mark in _MARK.finditer(chapter.text):
        first, last = chapter.origin.offset(mark.start()), chapter.origin.offset(mark.end() - 1)
        yield Skip(first, last + 1, _REASON, mark[0])
