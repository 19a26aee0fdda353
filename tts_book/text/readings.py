"""Russian numbers, abbreviations and Roman numerals in words, for voices that cannot read them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from functools import cache

from tts_book.text.inline_rules import Edit

_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
_NEEDED = re.compile(r"\d|[IVXLC]{2,}|\b[IVX]\b|(?<!\w)[А-Яа-яёЁ]{1,6}\.|[№§%°&$€₽]")
_PARAGRAPH = re.compile(r"[^\n]+")
_LONGEST = 20_000  # characters; a paragraph beyond that is no prose


@cache
def russian() -> Callable[[str], str] | None:
    """Turns a Russian paragraph into words; None where the extra `ru` is not installed."""
    try:
        from ru_normalizr import NormalizeOptions, Normalizer
    except ModuleNotFoundError:
        return None
    normalizer = Normalizer(NormalizeOptions(mode="safe"))
    return lambda text: str(normalizer.normalize(text))


def edits(text: str, in_words: Callable[[str], str]) -> Iterator[Edit]:
    """What to say instead of numbers and the like in `text`; all else stays as it is written."""
    for paragraph in _PARAGRAPH.finditer(text):
        written = paragraph[0]
        if len(written) <= _LONGEST and _NEEDED.search(written):
            for edit in _differences(written, in_words(written)):
                if _NEEDED.search(written[edit.start : edit.stop]):
                    shift = paragraph.start()
                    yield Edit(edit.start + shift, edit.stop + shift, edit.new)


def _differences(written: str, said: str) -> Iterator[Edit]:
    a, b = _TOKEN.findall(written), _TOKEN.findall(said)
    places = [0]
    for token in a:
        places.append(places[-1] + len(token))
    waiting: Edit | None = None
    for kind, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        new = "".join(b[k:m])
        if waiting is not None and (kind != "equal" or not any(map(str.isalnum, new))):
            # `д. 5.` and `дом пять.` share a full stop, but not the same one.
            waiting = Edit(waiting.start, places[j], waiting.new + new)
        elif kind != "equal":
            waiting = Edit(places[i], places[j], new)
        elif waiting is not None:
            yield _trimmed(written, waiting)
            waiting = None
    if waiting is not None:
        yield _trimmed(written, waiting)


def _trimmed(written: str, edit: Edit) -> Edit:
    """Without the marks and blanks at its end that stay."""
    stop, new = edit.stop, edit.new
    while stop > edit.start and new and written[stop - 1] == new[-1] and not new[-1].isalnum():
        stop, new = stop - 1, new[:-1]
    return Edit(edit.start, stop, new)
