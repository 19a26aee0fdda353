"""How long a text takes to say: arithmetic over a table, before anything is spoken.

The figures are characters (blanks included) a second of running prose, halfway between the pace of
a lone sentence with its silences and that of the speech alone. Trust them to about 15 %.
"""

from __future__ import annotations

import re
from types import MappingProxyType

from tts_book.text.language_tags import primary_language

USUAL_CHARACTERS_PER_S = 14.5

CHARACTERS_PER_S = MappingProxyType(
    {
        "ar": 12.5,
        "cs": 14.0,
        "de": 18.3,
        "en": 15.2,
        "es": 16.6,
        "fr": 18.7,
        "hi": 11.2,
        "it": 15.0,
        "ja": 6.1,
        "kk": 16.3,
        "ko": 6.7,
        "pl": 15.5,
        "pt": 15.1,
        "ru": 13.6,
        "tr": 13.8,
        "uk": 13.1,
        "vi": 17.6,
        "zh": 4.8,
    }
)

# A syllable or a word to a character: slow in any book, also as a quotation in another language.
_DENSE = {
    "zh": re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"),
    "ja": re.compile("[\u3040-\u30ff\u31f0-\u31ff]"),
    "ko": re.compile("[\uac00-\ud7af]"),
}
_SLOWEST_FACTOR = 0.1


def characters_per_s(language: str) -> float:
    """Characters a second of running prose in `language` (BCP 47) at a voice's own rate."""
    return CHARACTERS_PER_S.get(primary_language(language), USUAL_CHARACTERS_PER_S)


def ms_per_character(language: str) -> float:
    """Milliseconds that a character of `language` (BCP 47) takes, blanks included."""
    return 1_000 / characters_per_s(language)


def estimate_ms(text: str, language: str, rate_pct: int = 0) -> int:
    """Milliseconds that `text` will take at `rate_pct` (signed, 0 is a voice's own rate)."""
    own = characters_per_s(language)
    seconds = len(text) / own
    for other, letters in _DENSE.items():
        pace = CHARACTERS_PER_S[other]
        if pace < own and not text.isascii():
            seconds += len(letters.findall(text)) * (1 / pace - 1 / own)
    return round(seconds * 1_000 / max(_SLOWEST_FACTOR, 1 + rate_pct / 100))
