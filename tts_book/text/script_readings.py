"""How raised and lowered numbers are said: 10²³, log₂8, H₂O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tts_book.text.inline_rules import LOOK_BACK, Edit, to_plain
from tts_book.text.language_tags import primary_language


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
