"""Who reads what of a book: its cast, and the roles that it gives to the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tts_book.config.cast import ROLES, Cast, Speaker, fold_name
from tts_book.config.voices import Config
from tts_book.errors import UserError
from tts_book.model import Book, Chapter
from tts_book.text.dialogue.roles import NARRATOR, ChapterRoles, RoleSpan, assign_roles
from tts_book.text.dialogue.speakers import Attribution, Evidence

# A chapter that another voice narrates: its narrator is a role of its own.
_OTHER_NARRATOR = "narrator: "
# A voice that a mark in the text names; it has no words but those.
_MARKED = "voice: "


@dataclass(frozen=True, slots=True)
class BookRoles:
    """The stretches of each chapter that are not the usual narrator's, by chapter number, and how
    many replies were given to a speaker by which rule."""

    spans: Mapping[int, tuple[RoleSpan, ...]] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)

    @property
    def found(self) -> tuple[str, ...]:
        """The roles, in the order in which they first speak."""
        spans = (span for number in sorted(self.spans) for span in self.spans[number])
        return tuple(dict.fromkeys(span.role for span in spans if span.role))


def find_roles(book: Book, cast: Cast, marked: Mapping[int, Sequence[RoleSpan]]) -> BookRoles:
    """Gives roles to the text of a book; `marked` stretches have theirs. Pure; takes seconds for a
    long one."""
    spans: dict[int, tuple[RoleSpan, ...]] = {}
    rules: Counter[str] = Counter()
    for chapter in book.chapters:
        its = _find_chapter_roles(book, chapter, cast)
        rules += its.rules
        found = _lay_over(its.spans, marked.get(chapter.number, ()))
        narrator = cast.narrator_of(chapter.number)
        if narrator != cast.narrator:
            found = _fill(found, len(chapter.text), f"{_OTHER_NARRATOR}{narrator}")
        if found:
            spans[chapter.number] = found
    return BookRoles(spans, rules)


def _find_chapter_roles(book: Book, chapter: Chapter, cast: Cast) -> ChapterRoles:
    return assign_roles(
        chapter.text,
        chapter.language or book.language,
        cast.role_of,
        aliases=cast.aliases,
        genders=cast.genders,
        tags_by_speaker=cast.tags == "speaker",
    )


def _fill(spans: tuple[RoleSpan, ...], length: int, role: str) -> tuple[RoleSpan, ...]:
    """The same with a role for the narrator's stretches and for what is between."""
    filled: list[RoleSpan] = []
    at = 0
    for span in spans:
        if span.start > at:
            filled.append(RoleSpan(at, span.start, role))
        filled.append(span if span.role else replace(span, role=role))
        at = span.stop
    if at < length:
        filled.append(RoleSpan(at, length, role))
    return tuple(filled)


def _lay_over(spans: tuple[RoleSpan, ...], marked: Sequence[RoleSpan]) -> tuple[RoleSpan, ...]:
    """The marked stretches, and what they leave of the others, in order."""
    left = list(spans)
    for mark in marked:
        left = [
            piece
            for span in left
            for piece in (
                RoleSpan(span.start, min(span.stop, mark.start), span.role),
                RoleSpan(max(span.start, mark.stop), span.stop, span.role),
            )
            if piece.start < piece.stop
        ]
    return tuple(sorted((*left, *marked), key=lambda span: span.start))


def find_marked_role(cast: Cast, config: Config, name: str) -> str:
    """The role that a mark names: a speaker's, that of a gender or of dialogue, the narrator's, or
    that of a voice by its name. Raises UserError."""
    speaker = cast.aliases.get(fold_name(name))
    if speaker is not None:
        return speaker
    role = name.casefold()
    if role == "narrator" or (role in ROLES and cast.voice_of(role)):
        return NARRATOR if role == "narrator" else role
    if role in ROLES:
        raise UserError(f"no voice is set for {role}: write it into cast.toml, or --voice-for.")
    try:
        return f"{_MARKED}{config.resolve(name).name}"
    except UserError as error:
        raise UserError(f'nobody is called "{name}" in the cast. {error}') from None


def voice_name(cast: Cast, role: str) -> str:
    """The name of the voice that reads a role, "" for the usual narrator's."""
    if role.startswith(_OTHER_NARRATOR):
        return role.removeprefix(_OTHER_NARRATOR)
    if role.startswith(_MARKED):
        return role.removeprefix(_MARKED)
    return cast.voice_of(role)


def role_name(role: str) -> str:
    """A role as it is shown."""
    if role == NARRATOR or role.startswith(_OTHER_NARRATOR):
        return "narrator"
    return role.removeprefix(_MARKED)


def add_voices(cast: Cast | None, text: str) -> Cast | None:
    """The cast with the voices of "NAME=VOICE, …" laid over it. Raises UserError."""
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, voice = (side.strip() for side in part.partition("="))
        if not (name and equals and voice) or "=" in voice:
            raise UserError(
                f'--voice-for "{part}" is not understood: write NAME=VOICE, such as '
                "dialogue=svetlana or Соня=svetlana."
            )
        cast = cast or Cast()
        if name.casefold() in ROLES:
            changed: dict[str, Any] = {name.casefold(): voice}
            cast = replace(cast, **changed)
        else:
            known = cast.aliases.get(fold_name(name), name)
            speaker = replace(cast.speakers.get(known, Speaker("")), voice=voice)
            cast = replace(cast, speakers={**cast.speakers, known: speaker})
    return cast


@dataclass(slots=True)
class SpeakerFound:
    """Somebody who was found to speak: how often, of which gender, and two examples."""

    name: str
    utterances: int = 0
    genders: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def gender(self) -> str:
        """The gender that most of the evidence shows, "" without any."""
        return next((gender for gender, _ in self.genders.most_common(1)), "")


def find_speakers(book: Book) -> tuple[list[SpeakerFound], Counter[str]]:
    """Who speaks in a book by the rules alone, the most talkative first, and how many replies were
    ascribed by which rule."""
    found: dict[str, SpeakerFound] = {}
    rules: Counter[str] = Counter()
    nobody = Cast(dialogue="any")
    for chapter in book.chapters:
        its = _find_chapter_roles(book, chapter, nobody)
        rules += its.rules
        for each in its.attributions:
            if not each.name:
                continue
            speaker = found.setdefault(each.name, SpeakerFound(each.name))
            speaker.utterances += 1
            if each.gender:
                speaker.genders[each.gender] += 1
            if len(speaker.examples) < 2 and each.evidence is not Evidence.TURN:
                speaker.examples.append(_example(chapter, each))
    return sorted(found.values(), key=lambda each: -each.utterances), rules


def _example(chapter: Chapter, each: Attribution) -> str:
    start, stop = each.utterance.start, each.utterance.stop
    place = chapter.origin.place(start)
    return f"{place}: {' '.join(chapter.text[start:stop].split())}"
