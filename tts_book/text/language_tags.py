"""Language tags (BCP 47): their normal form, their names, and the ones that voice ids contain."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from tts_book.errors import UserError
from tts_book.model import Voice

LANGUAGE_NAMES = {
    "af": "Afrikaans", "am": "Amharic", "ar": "Arabic", "az": "Azerbaijani", "be": "Belarusian",
    "bg": "Bulgarian", "bn": "Bengali", "bs": "Bosnian", "ca": "Catalan", "cs": "Czech",
    "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "eo": "Esperanto", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian",
    "fi": "Finnish", "fil": "Filipino", "fr": "French", "ga": "Irish", "gl": "Galician",
    "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian",
    "hy": "Armenian", "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese",
    "jv": "Javanese", "ka": "Georgian", "kk": "Kazakh", "km": "Khmer", "kn": "Kannada",
    "ko": "Korean", "la": "Latin", "lo": "Lao", "lt": "Lithuanian", "lv": "Latvian",
    "mk": "Macedonian", "ml": "Malayalam", "mn": "Mongolian", "mr": "Marathi", "ms": "Malay",
    "mt": "Maltese", "my": "Burmese", "nb": "Norwegian Bokmål", "ne": "Nepali", "nl": "Dutch",
    "nn": "Norwegian Nynorsk", "no": "Norwegian", "pa": "Punjabi", "pl": "Polish", "ps": "Pashto",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "si": "Sinhala", "sk": "Slovak",
    "sl": "Slovenian", "so": "Somali", "sq": "Albanian", "sr": "Serbian", "su": "Sundanese",
    "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai",
    "tr": "Turkish", "tt": "Tatar", "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek",
    "vi": "Vietnamese", "yi": "Yiddish", "yue": "Cantonese", "zh": "Chinese", "zu": "Zulu",
}  # fmt: skip

_OTHER_NAMES = {
    "русский": "ru", "английский": "en", "немецкий": "de", "французский": "fr",
    "украинский": "uk", "українська": "uk", "deutsch": "de", "français": "fr", "español": "es",
    "italiano": "it", "polski": "pl", "rus": "ru", "eng": "en", "ger": "de", "deu": "de",
    "fra": "fr", "fre": "fr", "spa": "es", "ita": "it", "pol": "pl", "ukr": "uk", "jp": "ja",
    "cn": "zh", "ua": "uk", "cz": "cs", "gr": "el", "kr": "ko",
}  # fmt: skip

EDGE_ID = re.compile(r"([a-z]{2,3}(?:-[A-Za-z]+)+)-([A-Za-z]+Neural)")
PIPER_ID = re.compile(r"([a-z]{2,3})_([A-Z]{2})-[^\s-]+-(?:x_low|low|medium|high)")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_TAG = re.compile(r"([A-Za-z]{2,3})((?:-[A-Za-z0-9]{2,8})*)\Z")
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
        return normalize_tag(id_)
    return ""


def backend_of(id_: str) -> str:
    """Whose id this is by its form, "" where that is unknown."""
    if EDGE_ID.fullmatch(id_):
        return "edge"
    return "piper" if PIPER_ID.fullmatch(id_) else ""


def normalize_tag(language: str) -> str:
    """A language tag as BCP 47 writes it: pt_br becomes pt-BR, "no" becomes nb."""
    first, *rest = language.replace("_", "-").split("-")
    first = _SAME.get(first.lower(), first.lower())
    return "-".join([first, *_subtags(rest)])


def primary_language(language: str) -> str:
    """The language alone, without script and region."""
    return normalize_tag(language).partition("-")[0]


def parse_language_tag(tag: str) -> str:
    """`tag` as BCP 47 writes it: `ru`, `pt-BR`, `zh-Hant-TW`.

    Raises UserError for what is no language code, with the one that may be meant.
    """
    wanted = tag.strip().replace("_", "-")
    found = _TAG.match(wanted)
    if found and found[1].lower() in LANGUAGE_NAMES:
        return "-".join([found[1].lower(), *(_subtag(p) for p in found[2].split("-") if p)])
    if found and len(found[1]) == 3 and found[1].lower() not in _OTHER_NAMES:
        return wanted
    meant = _meant(wanted.lower())
    hint = f"did you mean {meant}?" if meant else "give a code such as ru, en or pt-BR"
    raise UserError(f'unknown language "{tag}": {hint}')


def describe_language(tag: str) -> str:
    """`Russian (ru)`."""
    name = LANGUAGE_NAMES.get(tag.partition("-")[0])
    return f"{name} ({tag})" if name else tag


def _meant(word: str) -> str:
    codes = {name.lower(): code for code, name in LANGUAGE_NAMES.items()} | _OTHER_NAMES
    if word in codes:
        return codes[word]
    near = difflib.get_close_matches(word, [*codes, *LANGUAGE_NAMES], 1, 0.6)
    return codes.get(near[0], near[0]) if near else ""


def is_multilingual(voice: Voice) -> bool:
    """Whether the voice reads any language."""
    return not voice.language or _MULTILINGUAL in voice.id


def _subtags(parts: Iterable[str]) -> Iterator[str]:
    """Each in its own case; those behind a single letter are private and small."""
    is_private = False
    for part in parts:
        is_private = is_private or len(part) == 1
        yield part.lower() if is_private else _subtag(part)


def _subtag(part: str) -> str:
    if len(part) == 2:
        return part.upper()
    return part.title() if len(part) == 4 else part.lower()
