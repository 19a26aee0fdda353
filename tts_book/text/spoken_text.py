"""What is sent of each chunk: its text with pronunciations, and numbers in words where a voice
needs them. The chunks' ends were decided before, on the text; one that grows too long is cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from tts_book.model import Break, Chunk, Plan, Voice
from tts_book.text.chunker import MAX_ESCAPED_BYTES, escaped_bytes, inseparable
from tts_book.text.inline_rules import LOOK_BACK, Edit, to_plain
from tts_book.text.language_tags import primary_language
from tts_book.text.pronunciation import Pronunciations, Spellings
from tts_book.text.russian_readings import find_russian_readings, load_russian_rules
from tts_book.text.source_map import Rewriting
from tts_book.text.speech_rate import estimate_ms

# The online service and eSpeak drop or ignore stress marks; Piper's phonemes follow them.
_NO_STRESS = frozenset(("edge", "espeak"))
_NEEDS_WORDS = frozenset(("piper", "espeak"))
_ENDS = '.!?…»”"。！？」'


@dataclass(frozen=True, slots=True)
class Readings:
    """How a book is said. `in_words` looks for what puts Russian numbers into words."""

    pronunciations: Pronunciations = field(default_factory=Pronunciations)
    in_words: Callable[[], Callable[[str], str] | None] = load_russian_rules


def apply_readings(plan: Plan, voice: Voice, manner: Readings) -> Plan:
    """The same plan in what this voice is sent; `plan` itself where nothing differs."""
    language = plan.book.language
    words = manner.pronunciations.of(language)
    needs = voice.backend in _NEEDS_WORDS and primary_language(language) == "ru"
    in_words = manner.in_words() if needs else None
    written = all(
        chunk.spoken == chunk.text and not has_scripts(chunk.text) for chunk in plan.chunks
    )
    if not words and in_words is None and written:
        return plan
    stress = voice.backend not in _NO_STRESS
    made: list[Chunk] = []
    for chunk in plan.chunks:
        for piece in _said(chunk, words, in_words, stress, language):
            again = made and made[-1].chapter == piece.chapter
            made.append(replace(piece, number=made[-1].number + 1 if again else 1))
    chunks = tuple(made)
    return replace(
        plan, chunks=chunks, estimated_ms=sum(estimate_ms(c.spoken, language) for c in chunks)
    )


def find_differences(plan: Plan) -> int:
    """How many chunks are not said as they are written."""
    return sum(chunk.spoken != chunk.text for chunk in plan.chunks)


def _said(
    chunk: Chunk,
    words: Spellings,
    in_words: Callable[[str], str] | None,
    stress: bool,
    language: str,
) -> Iterator[Chunk]:
    edits = list(words.edits(chunk.text, stress=stress)) if words else []
    edits = _apart(edits, find_script_readings(chunk.text, language))
    if in_words is not None:
        edits = _apart(edits, find_russian_readings(chunk.text, in_words))
    if not edits:
        yield replace(chunk, spoken=chunk.text, alignment=())
        return
    yield from _cut(chunk, edits)


def _apart(own: list[Edit], others: Iterable[Edit]) -> list[Edit]:
    """The user's edits, and those of `others` that touch none of them."""
    taken = {at for edit in own for at in range(edit.start, edit.stop)}
    kept = [e for e in others if not any(at in taken for at in range(e.start, e.stop))]
    return sorted([*own, *kept], key=lambda edit: edit.start)


def _cut(chunk: Chunk, edits: list[Edit]) -> Iterator[Chunk]:
    """The chunk as it is said, in two or more where it has become too long."""
    spoken = Rewriting(chunk.text).edit(edits)
    at = _middle(chunk.text, edits) if escaped_bytes(spoken.text) > MAX_ESCAPED_BYTES else 0
    if not at:
        yield replace(chunk, spoken=spoken.text, alignment=spoken.alignment)
        return
    head, tail = chunk.text[:at], chunk.text[at:]
    first = head.rstrip()
    skipped = at + len(tail) - len(tail.lstrip())
    left = replace(chunk, stop=chunk.start + len(first), text=first, after=Break.SENTENCE)
    right = replace(chunk, start=chunk.start + skipped, text=chunk.text[skipped:])
    yield from _cut(left, [edit for edit in edits if edit.stop <= at])
    shifted = (e for e in edits if e.start >= at)
    yield from _cut(right, [Edit(e.start - skipped, e.stop - skipped, e.new) for e in shifted])


def _middle(text: str, edits: list[Edit]) -> int:
    """The place nearest to the middle that no edit holds: a blank, else between two characters,
    rather behind a sentence; 0 if none."""
    held = {at for edit in edits for at in range(edit.start, edit.stop)}
    blanks = [at for at, c in enumerate(text) if c.isspace() and at not in held]
    half = len(text) / 2
    for places in (blanks, _borders(text, edits)):
        ends = [at for at in places if text[at - 1] in _ENDS and half / 2 < at < half * 3 / 2]
        if places:
            return min(ends or places, key=lambda at: abs(at - half))
    return 0


def _borders(text: str, edits: list[Edit]) -> list[int]:
    """Where a text in a script without blanks may be cut."""
    within = {at for edit in edits for at in range(edit.start + 1, edit.stop)}
    borders = (at for at in range(1, len(text)) if at not in within)
    return [at for at in borders if not inseparable(text[at - 1], text[at])]


# How raised and lowered numbers are said: 10²³, log₂8, H₂O.


@dataclass(frozen=True, slots=True)
class _ScriptWords:
    power: str
    base: str
    minus: str


_WORDS = {
    "be": _ScriptWords("у ступені", "па аснове", "мінус"),
    "cs": _ScriptWords("na", "o základu", "minus"),
    "de": _ScriptWords("hoch", "zur Basis", "minus"),
    "en": _ScriptWords("to the power of", "base", "minus"),
    "es": _ScriptWords("elevado a", "en base", "menos"),
    "fr": _ScriptWords("puissance", "base", "moins"),
    "it": _ScriptWords("elevato a", "in base", "meno"),
    "nl": _ScriptWords("tot de macht", "met grondtal", "min"),
    "pl": _ScriptWords("do potęgi", "o podstawie", "minus"),
    "pt": _ScriptWords("elevado a", "na base", "menos"),
    "ru": _ScriptWords("в степени", "по основанию", "минус"),
    "sv": _ScriptWords("upphöjt till", "med basen", "minus"),
    "uk": _ScriptWords("у степені", "за основою", "мінус"),
}
_SCRIPT = re.compile(r"[⁰¹²³⁴-⁹]+|[⁺⁻][⁰¹²³⁴-⁹]+|[₀-₉]+|[₊₋][₀-₉]+")
_WELL_KNOWN = ("²", "³")
_LOGARITHM = re.compile(r"(?<![^\W\d_])(?:log|lg|лог)\Z")


def has_scripts(text: str) -> bool:
    """Whether there may be something to say otherwise in `text`."""
    return _SCRIPT.search(text) is not None


def find_script_readings(text: str, language: str) -> Iterator[Edit]:
    """How raised and lowered numbers in `text` are said in `language` (BCP 47): 10²³ as "10 to the
    power of 23", log₂8 as "log base 2 8", H₂O as H2O. Square and cubic metres stay as they are:
    voices know them."""
    words = _WORDS.get(primary_language(language))
    for match in _SCRIPT.finditer(text):
        before = text[max(0, match.start() - LOOK_BACK) : match.start()]
        number = to_plain(match[0])
        is_lowered = "₀" <= match[0][-1] <= "₉"
        if not before[-1:].isalnum() and before[-1:] not in (")", "]"):
            continue
        if is_lowered and not _has_base(before):
            yield Edit(*match.span(), number)
        elif words and (is_lowered or before[-1].isdecimal() or match[0] not in _WELL_KNOWN):
            number = f"{words.minus} {number[1:]}" if number[0] in "-−" else number.lstrip("+")
            after = text[match.end() : match.end() + 1]
            blank = " " if after.isalnum() or after == "(" else ""
            name = words.base if is_lowered else words.power
            yield Edit(*match.span(), f" {name} {number}{blank}")


def _has_base(before: str) -> bool:
    """Whether a lowered number is the base of what stands before it: log₂, 101₂."""
    return before[-1].isdecimal() or _LOGARITHM.search(before) is not None
