"""A chapter's text in stretches, each of one role: the narrator's, or that of who speaks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tts_book.text.dialogue.direct_speech import DirectSpeech, find_utterances
from tts_book.text.dialogue.speakers import Attribution, attribute_speech

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
