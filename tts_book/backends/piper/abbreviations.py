"""Abbreviations whose points would end a sentence for Piper's front end, in languages that have no
module of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tts_book.text.rewriting import Rule

_GERMAN = {
    "Dr": "Doktor",
    "Hr": "Herr",
    "Hrn": "Herrn",
    "Fr": "Frau",
    "Prof": "Professor",
    "St": "Sankt",
    "Nr": "Nummer",
    "ca": "circa",
    "bzw": "beziehungsweise",
    "evtl": "eventuell",
    "z. B": "zum Beispiel",
    "d. h": "das heißt",
    "u. a": "unter anderem",
    "sog": "sogenannte",
    "vgl": "vergleiche",
    "usw": "und so weiter",
}
_FRENCH = {
    "M": "monsieur",
    "MM": "messieurs",
    "Mme": "madame",
    "Mlle": "mademoiselle",
    "Dr": "docteur",
    "St": "saint",
    "p. ex": "par exemple",
    "c.-à-d": "c'est-à-dire",
    "env": "environ",
    "etc": "et cetera",
}
_SPANISH = {
    "Sr": "señor",
    "Sra": "señora",
    "Srta": "señorita",
    "Dr": "doctor",
    "Dra": "doctora",
    "D": "don",
    "Dña": "doña",
    "Ud": "usted",
    "Uds": "ustedes",
    "Vd": "usted",
    "p. ej": "por ejemplo",
    "núm": "número",
    "etc": "etcétera",
}
_ITALIAN = {
    "sig": "signor",
    "dott": "dottor",
    "prof": "professor",
    "avv": "avvocato",
    "ing": "ingegner",
    "pag": "pagina",
    "ecc": "eccetera",
}
_PORTUGUESE = {
    "Sr": "senhor",
    "Sra": "senhora",
    "Dr": "doutor",
    "Dra": "doutora",
    "D": "dom",
    "Prof": "professor",
    "p. ex": "por exemplo",
    "etc": "et cetera",
}
_POLISH = {
    "prof": "profesor",
    "np": "na przykład",
    "tzn": "to znaczy",
    "m. in": "między innymi",
    "ok": "około",
    "ul": "ulica",
    "itd": "i tak dalej",
    "itp": "i tym podobne",
}
_UKRAINIAN = {
    "т. зв": "так званий",
    "напр": "наприклад",
    "див": "дивись",
    "ім": "імені",
    "тис": "тисяч",
    "грн": "гривень",
    "т. д": "так далі",
    "т. п": "тому подібне",
    "ін": "інші",
}
# These stand at the end of a list, and so often of a sentence.
_MAY_END = frozenset({"usw", "etc", "ecc", "itd", "itp", "т. д", "т. п", "ін", "грн"})


def _rule(table: Mapping[str, str]) -> Rule:
    longest_first = sorted(table, key=len, reverse=True)
    any_of = "|".join(re.escape(word).replace(r"\.\ ", r"\.\s?") for word in longest_first)
    known = {word.lower(): said for word, said in table.items()}

    def said(found: re.Match[str]) -> str:
        short = re.sub(r"\.\s?(?=\w)", ". ", found[1]).lower()
        word = known[short]
        word = word[0].upper() + word[1:] if found[1][0].isupper() else word
        rest = found.string[found.end() : found.end() + 8].lstrip(" \n\t\"'»”)")
        ends = short in _MAY_END and (not rest or rest[0].isupper())
        return word + ("." if ends else "")

    return re.compile(rf"(?<![\w.])({any_of})\.(?!\w)"), said


ABBREVIATIONS: dict[str, Rule] = {
    "de": _rule(_GERMAN),
    "es": _rule(_SPANISH),
    "fr": _rule(_FRENCH),
    "it": _rule(_ITALIAN),
    "pl": _rule(_POLISH),
    "pt": _rule(_PORTUGUESE),
    "uk": _rule(_UKRAINIAN),
}
