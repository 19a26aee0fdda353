"""A text that cannot be spoken in one go, in two halves: at a sentence's end if there is one."""

from __future__ import annotations

import re

# From the best place to cut to the worst; each pattern ends where the right half begins.
_PLACES = (
    re.compile(r"\n\s*\n"),
    re.compile(r"(?<=[.!?…。！？])[\"'”’»)\]]*\s+|(?<=[。！？])"),
    re.compile(r"(?<=[;:,—，、；：])\s+"),
    re.compile(r"\s+"),
)
# A cut within this share of the middle is good enough not to look for a worse kind of place.
_MIDDLE_SHARE = 0.3
# Shorter than this, text without a blank is a word, and half a word is another word.
_NO_WORD_CHARACTERS = 60


def split_in_half(text: str) -> tuple[str, int, str] | None:
    """The left half, where the right one begins in `text`, and the right half; None where either
    would have nothing to say."""
    middle, reach = len(text) / 2, len(text) * _MIDDLE_SHARE
    for place in _PLACES:
        cuts = [found.end() for found in place.finditer(text)]
        cuts = [cut for cut in cuts if abs(cut - middle) <= reach and _both_speak(text, cut)]
        if cuts:
            return _cut(text, min(cuts, key=lambda cut: abs(cut - middle)))
    if len(text) < _NO_WORD_CHARACTERS:
        return None
    at = len(text) // 2
    return _cut(text, at) if _both_speak(text, at) else None


def _cut(text: str, at: int) -> tuple[str, int, str]:
    return text[:at].rstrip(), at, text[at:]


def _both_speak(text: str, at: int) -> bool:
    return any(map(str.isalnum, text[:at])) and any(map(str.isalnum, text[at:]))
