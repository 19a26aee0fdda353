"""What the form of a voice's id and of a language tag tells."""

from __future__ import annotations

import re

from tts_book.model import Voice

EDGE_ID = re.compile(r"([a-z]{2,3}(?:-[A-Za-z]+)+)-([A-Za-z]+Neural)")
PIPER_ID = re.compile(r"([a-z]{2,3})_([A-Z]{2})-[^\s-]+-(?:x_low|low|medium|high)")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
# The service's voices of this kind read any language.
_MULTILINGUAL = "Multilingual"
# Several tags for one language: the one on the right is the one that voices bear.
_SAME = {"no": "nb", "nn": "nb", "iw": "he", "in": "id", "tl": "fil", "cmn": "zh"}


def language_of(backend: str, id_: str) -> str:
    """The language that a voice's id tells, "" where it tells none or where it reads any."""
    if backend == "edge" and (edge := EDGE_ID.fullmatch(id_)):
        return "" if _MULTILINGUAL in edge[2] else edge[1]
    if backend == "piper" and (piper := PIPER_ID.fullmatch(id_)):
        return f"{piper[1]}-{piper[2]}"
    if backend == "espeak" and LANGUAGE.fullmatch(id_):
        return normal(id_)
    return ""


def backend_of(id_: str) -> str:
    """Whose id this is by its form, "" where that is unknown."""
    if EDGE_ID.fullmatch(id_):
        return "edge"
    return "piper" if PIPER_ID.fullmatch(id_) else ""


def normal(language: str) -> str:
    """A language tag as BCP 47 writes it: pt_br becomes pt-BR, "no" becomes nb."""
    first, *rest = language.replace("_", "-").split("-")
    first = _SAME.get(first.lower(), first.lower())
    return "-".join([first, *(_subtag(part) for part in rest)])


def primary(language: str) -> str:
    """The language alone, without script and region."""
    return normal(language).partition("-")[0]


def multilingual(voice: Voice) -> bool:
    """Whether the voice reads any language."""
    return not voice.language or _MULTILINGUAL in voice.id


def _subtag(part: str) -> str:
    if len(part) == 2:
        return part.upper()
    return part.title() if len(part) == 4 else part.lower()
