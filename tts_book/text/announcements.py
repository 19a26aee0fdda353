"""Short words for what cannot be read aloud as it is written: code, formulas, figures, addresses.

A reader puts a `Sign` where something stands that is not spoken; once the book's language is
known, `announce` writes the words for it. Signs are private characters, which no cleaned text
holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal
from urllib.parse import urlsplit

from tts_book.text.inline_rules import Edit
from tts_book.text.language_tags import primary_language
from tts_book.text.normalize import Paragraph, edit_paragraph

UrlsAs = Literal["host", "read", "skip"]


class Sign(StrEnum):
    """What a private character of a paragraph stands for."""

    CODE = "\ue000"
    FORMULA = "\ue001"
    FIGURE = "\ue002"
    NOTE = "\ue003"


@dataclass(frozen=True, slots=True)
class _AnnouncementWords:
    code: str
    formula: str
    figure: str
    link: str  # before a host
    note: str  # before a note that is read at its mark


_WORDS = {
    "be": _AnnouncementWords("прыклад кода", "формула", "малюнак", "спасылка на", "Заўвага: "),
    "cs": _AnnouncementWords("ukázka kódu", "vzorec", "obrázek", "odkaz na", "Poznámka: "),
    "de": _AnnouncementWords("Codebeispiel", "Formel", "Abbildung", "Link zu", "Anmerkung: "),
    "en": _AnnouncementWords("code example", "formula", "figure", "link to", "Note: "),
    "es": _AnnouncementWords("ejemplo de código", "fórmula", "figura", "enlace a", "Nota: "),
    "fr": _AnnouncementWords("exemple de code", "formule", "figure", "lien vers", "Note : "),
    "it": _AnnouncementWords("esempio di codice", "formula", "figura", "link a", "Nota: "),
    "nl": _AnnouncementWords("codevoorbeeld", "formule", "afbeelding", "link naar", "Noot: "),
    "pl": _AnnouncementWords("przykład kodu", "wzór", "rysunek", "odnośnik do", "Przypis: "),
    "pt": _AnnouncementWords("exemplo de código", "fórmula", "figura", "link para", "Nota: "),
    "ru": _AnnouncementWords("пример кода", "формула", "рисунок", "ссылка на", "Примечание: "),
    "sv": _AnnouncementWords("kodexempel", "formel", "figur", "länk till", "Not: "),
    "uk": _AnnouncementWords("приклад коду", "формула", "рисунок", "посилання на", "Примітка: "),
}
_NO_WORDS = _AnnouncementWords("", "", "", "", "")

_SIGNS = re.compile(f"[{''.join(Sign)}]")
_ADDRESS = re.compile(r"(?<![^\W_])(?:[a-z][a-z0-9+.-]{1,9}://|www\.)[^\s<>«»“”„\"]{2,}", re.I)
_CLOSERS = ".,;:!?…'’`*_|\\—"
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_DIGIT = re.compile(r"[0-9]")
_HEX = re.compile(r"(?<![^\W_])(?:[0-9a-f]{7,128}|[0-9A-F]{7,128})(?![^\W_])")
_UUID = re.compile(r"(?<![^\W_])\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?(?![^\W_])", re.I)
_TOKEN = re.compile(r"(?<![^\W_])[A-Za-z0-9_-]{24,}(?![^\W_])")
_TURNS = re.compile(r"[A-Za-z](?=\d)|\d(?=[A-Za-z])")
_CAPTION = 40  # characters in which a caption gives its number
_LEAST_DIGITS = 2  # of a short hash: `facade1` is rather a word
_LEAST_TURNS = 5  # from letters to digits and back: a key, not `version-2-of-the-program`


def announce(
    source: str, paragraphs: Iterable[Paragraph], language: str, urls: UrlsAs = "host"
) -> Iterator[Paragraph]:
    """The paragraphs of `source` with words in `language` (BCP 47) for signs, addresses said as
    their host (or as they are written, or not at all), hashes and long ids left out. A language
    without words of its own leaves signs out."""
    words = _WORDS.get(primary_language(language), _NO_WORDS)
    found = list(paragraphs)
    following = ""
    for at, paragraph in zip(reversed(range(len(found))), reversed(found), strict=True):
        text = paragraph.text
        if text and _goes_without_saying(text, following, words):
            found[at] = replace(paragraph, text="", runs=())
        following = text or following
    for paragraph in found:
        edits = list(_edits(paragraph.text, words, urls)) if paragraph.text else []
        yield edit_paragraph(source, paragraph, edits) if edits else paragraph


_SIGNS_ALONE = frozenset(Sign)


def _goes_without_saying(text: str, following: str, words: _AnnouncementWords) -> bool:
    """Whether a sign need not be said: several listings in a row are one example, and a figure is
    announced by its caption."""
    if text not in _SIGNS_ALONE:
        return False
    if text == Sign.FIGURE and words.figure:
        caption = following[:_CAPTION].casefold().partition(" ")
        return caption[0].startswith(words.figure[:3]) and caption[2].strip()[:1].isdecimal()
    return text == following


def _edits(text: str, words: _AnnouncementWords, urls: UrlsAs) -> Iterator[Edit]:
    found = [*_named_signs(text, words)]
    if urls != "read" and ("://" in text or "www." in text or "WWW." in text):
        found += _named_addresses(text, words, skip=urls == "skip")
    if _DIGIT.search(text):
        found += _identifiers(text)
    reached = 0
    for edit in sorted(found, key=lambda edit: (edit.start, -edit.stop)):
        if edit.start >= reached:
            yield edit
            reached = edit.stop


def _named_signs(text: str, words: _AnnouncementWords) -> Iterator[Edit]:
    for match in _SIGNS.finditer(text):
        sign = Sign(match[0])
        name: str = getattr(words, sign.name.lower())
        if text == sign and name:
            name = f"{name[0].upper()}{name[1:]}."
        yield Edit(*match.span(), name) if name else _without(text, *match.span(), "")


def _named_addresses(text: str, words: _AnnouncementWords, *, skip: bool) -> Iterator[Edit]:
    for match in _ADDRESS.finditer(text):
        start = match.start()
        stop = start + len(_trimmed(match[0]))
        host = "" if skip else _host(text[start:stop])
        if host:
            yield Edit(start, stop, f"{words.link} {host}".lstrip(), "web address")
        else:
            yield _without(text, start, stop, "web address")


def _trimmed(address: str) -> str:
    """Without the marks of the sentence that it stands in."""
    while address:
        last = address[-1]
        opener = _BRACKETS.get(last)
        if last not in _CLOSERS and (
            opener is None or address.count(opener) >= address.count(last)
        ):
            break
        address = address[:-1]
    return address


def _host(address: str) -> str:
    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.")


def _identifiers(text: str) -> Iterator[Edit]:
    """Hashes, UUIDs and keys: nobody can follow forty digits by ear."""
    for match in _UUID.finditer(text):
        yield _without(text, *match.span(), "identifier")
    for match in _HEX.finditer(text):
        digits = sum(map(str.isdecimal, match[0]))
        if _LEAST_DIGITS <= digits < len(match[0]):
            yield _without(text, *match.span(), "hash")
    for match in _TOKEN.finditer(text):
        if len(_TURNS.findall(match[0])) >= _LEAST_TURNS:
            yield _without(text, *match.span(), "identifier")


def _without(text: str, start: int, stop: int, reason: str) -> Edit:
    """Leaves characters out, and one of the two blanks around them."""
    after = text[stop : stop + 1]
    if text[start - 1 : start] == " " and (not after or after in " .,;:!?…)»”"):
        start -= 1
    elif start == 0 and after == " ":
        stop += 1
    return Edit(start, stop, "", reason)
