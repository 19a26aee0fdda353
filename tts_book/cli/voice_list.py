"""Voices as lines: those of voices.toml first, then what the engines offer."""

from __future__ import annotations

import json
import locale
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tts_book.backends import Health, VoiceInfo
from tts_book.config.voices import NEVER_UNASKED
from tts_book.events import format_count
from tts_book.model import Book, Chapter, Origin, Source, Voice
from tts_book.text.language_tags import LANGUAGE_NAMES, primary_language

if TYPE_CHECKING:
    from tts_book.backends.piper.store import Index
    from tts_book.config.voices import Config

# What a backend says of a voice that reads whatever comes.
ANY_LANGUAGE = "und"
# Lines of voices, unless all are asked for: a screen has 24.
MOST_LINES = 17
NOT_INSTALLED = "not installed"

PREVIEWS = {
    "ru": "Этим голосом можно прочитать целую книгу, от первой страницы до последней.",
    "en": "This voice can read you a whole book, from the first page to the last.",
    "de": "Diese Stimme liest ein ganzes Buch vor, von der ersten Seite bis zur letzten.",
    "fr": "Cette voix peut lire un livre entier, de la première page à la dernière.",
    "es": "Esta voz puede leer un libro entero, de la primera página a la última.",
    "it": "Questa voce può leggere un libro intero, dalla prima pagina all'ultima.",
    "pt": "Esta voz pode ler um livro inteiro, da primeira à última página.",
    "pl": "Ten głos może przeczytać całą książkę, od pierwszej strony do ostatniej.",
    "uk": "Цим голосом можна прочитати цілу книжку, від першої сторінки до останньої.",
    "cs": "Tento hlas dokáže přečíst celou knihu, od první stránky do poslední.",
    "nl": "Deze stem kan een heel boek voorlezen, van de eerste tot de laatste bladzijde.",
    "tr": "Bu ses, ilk sayfadan son sayfaya kadar bütün bir kitabı okuyabilir.",
    "sv": "Den här rösten kan läsa en hel bok, från första sidan till den sista.",
    "zh": "这个声音可以从第一页到最后一页朗读整本书。",
    "ja": "この声は、最初のページから最後のページまで本を読むことができます。",
    "ko": "이 목소리는 첫 장부터 마지막 장까지 책 한 권을 읽어 줄 수 있습니다.",
    "ar": "يستطيع هذا الصوت أن يقرأ كتابا كاملا من أول صفحة إلى آخر صفحة.",
    "hi": "यह आवाज़ पहले पन्ने से आख़िरी पन्ने तक पूरी किताब पढ़ सकती है।",
}
# A language without a sentence of its own counts to three in digits, which any voice can read.
PREVIEW_ANYWHERE = "1, 2, 3."


@dataclass(frozen=True, slots=True)
class VoiceFilter:
    """Which voices are listed: those of one `language` or of one `backend`, and `everything` or a
    screenful; of all languages only the user's own, if neither is given."""

    language: str = ""
    backend: str = ""
    everything: bool = False
    own_languages: tuple[str, ...] = ()

    def wants(self, backend: str, language: str) -> bool:
        """Whether a voice of this backend and language is asked for."""
        if self.backend not in ("", backend):
            return False
        if not self.language:
            return True
        return primary_language(language) in (primary_language(self.language), ANY_LANGUAGE, "")

    @property
    def is_open(self) -> bool:
        """Whether nothing was said of which voices are meant."""
        return not (self.language or self.backend or self.everything)


def find_user_languages(environ: Mapping[str, str], system: str | None = None) -> tuple[str, ...]:
    """The languages that a user will have texts in: that of the environment (or of the `system`),
    and English."""
    names = [environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    if not any(names):
        names.append(locale.getlocale()[0] if system is None else system)
    name = next((name for name in names if name), "").partition(".")[0].partition("@")[0]
    english = {its.lower(): code for code, its in LANGUAGE_NAMES.items()}
    code = name.replace("-", "_").partition("_")[0].lower()
    found = english.get(code, code)
    return tuple(dict.fromkeys((*([found] if found in LANGUAGE_NAMES else []), "en")))


def list_voices(
    config: Config,
    offered: Iterable[VoiceInfo],
    problems: Mapping[str, Health],
    wanted: VoiceFilter,
) -> Iterator[str]:
    """The voices of voices.toml, those that can be used now first, then what the engines offer."""
    infos = {(info.backend, info.id): info for info in offered}
    named = [v for v in config.voices.values() if wanted.wants(v.backend, v.language)]
    shown = [v for v in named if not wanted.is_open or _is_near(v, config, wanted)]
    states = {voice.name: _state(voice, infos, problems) for voice in shown}
    defaults = _find_defaults(config, shown, states)
    shown.sort(key=lambda voice: (bool(states[voice.name]), voice.backend in NEVER_UNASKED))
    most = len(shown) if wanted.everything else MOST_LINES
    if shown:
        yield f"from {config.path} (* is used unless another is given):"
    for voice in shown[:most]:
        mark = "*" if voice.name in defaults else " "
        changes = "".join(f", {change}" for change in describe_changes(voice))
        state = f"  ({states[voice.name]})" if states[voice.name] else ""
        yield (
            f"{mark} {voice.name:<14} {voice.language:<6} {voice.gender:<6} "
            f"{voice.backend} {voice.id}{changes}{state}"
        )
    if NOT_INSTALLED in (states[voice.name] for voice in shown[:most]):
        yield f"{NOT_INSTALLED}: tts-book voices install ID"
    rest = [info for info in infos.values() if wanted.wants(info.backend, info.language)]
    if wanted.is_open:
        yield from _summarize(len(named) - len(shown), rest)
        return
    most = len(rest) if wanted.everything else max(0, MOST_LINES - len(shown[:most]))
    yield from _list_offered(rest[:most])
    if len(rest) > most:
        narrow = "" if wanted.language else ", or --language CODE"
        yield f"and {format_count(len(rest) - most, 'more voice')}: --all{narrow}"


def _is_near(voice: Voice, config: Config, wanted: VoiceFilter) -> bool:
    return voice.name in config.own or primary_language(voice.language) in wanted.own_languages


def _state(
    voice: Voice,
    infos: Mapping[tuple[str, str], VoiceInfo],
    problems: Mapping[str, Health],
) -> str:
    """Why a voice cannot be used now, "" if it can."""
    if (voice.backend, voice.id) in infos or (voice.backend, ANY_LANGUAGE) in {
        (info.backend, info.language) for info in infos.values()
    }:
        return ""
    if voice.backend == "piper":
        return NOT_INSTALLED
    return "not reached" if voice.backend in problems else "not listed"


def _find_defaults(
    config: Config, shown: Iterable[Voice], states: Mapping[str, str]
) -> frozenset[str]:
    """The voice of each language that would be chosen now."""
    found = set()
    for tag in {voice.language for voice in shown}:
        first = next((v for v in config.candidates(tag) if states.get(v.name) == ""), None)
        found.add(first.name if first else "")
    return frozenset(found)


def _summarize(names: int, offered: Sequence[VoiceInfo]) -> Iterator[str]:
    counts: dict[str, int] = {}
    for info in offered:
        counts[info.backend] = counts.get(info.backend, 0) + 1
    parts = [f"{format_count(names, 'name')} for other languages"] if names else []
    parts += [f"{backend} {count}" for backend, count in counts.items()]
    if parts:
        yield f"more: {', '.join(parts)}"
        yield "see them with --language CODE, --backend NAME, or --all"


def _list_offered(infos: Sequence[VoiceInfo]) -> Iterator[str]:
    for backend in dict.fromkeys(info.backend for info in infos):
        yield f"from {backend}:"
        for info in infos:
            if info.backend == backend:
                note = f"  ({info.note})" if info.note else ""
                yield f"  {info.id:<40} {info.language:<10} {info.gender}{note}"


def list_voices_json(
    config: Config, offered: Iterable[VoiceInfo], wanted: VoiceFilter
) -> Iterator[str]:
    """All voices that can be used now as JSON lines."""
    names = {(voice.backend, voice.id): name for name, voice in config.voices.items()}
    for info in offered:
        if wanted.wants(info.backend, info.language):
            yield json.dumps(
                {
                    "name": names.get((info.backend, info.id), ""),
                    "backend": info.backend,
                    "id": info.id,
                    "language": info.language,
                    "gender": info.gender,
                    "note": info.note,
                },
                ensure_ascii=False,
            )


def list_store(index: Index, language: str) -> Iterator[str]:
    """The Piper voices that can be fetched."""
    for voice in index.values():
        if not language or primary_language(voice.language) == primary_language(language):
            many = f"  {voice.speakers} speakers" if voice.speakers > 1 else ""
            size = f"{voice.model_bytes // 1_000_000:>4} MB"
            yield f"{voice.key:<40} {voice.language:<8} {size}{many}"


def make_preview_book(voice: Voice, language: str) -> Book:
    """A book of one sentence in the language of the voice."""
    text = PREVIEWS.get(primary_language(language), PREVIEW_ANYWHERE)
    chapter = Chapter(1, voice.name, text, Origin(Source("preview"), ()))
    return Book(voice.name, language, (chapter,))


def describe_voice(voice: Voice) -> str:
    """A voice with its service and the changes to it."""
    return f"{voice.name} ({', '.join([voice.backend, voice.id, *describe_changes(voice)])})"


def describe_changes(voice: Voice) -> list[str]:
    """What is set of a voice: rate -5%."""
    changes = (
        ("rate", voice.rate_pct, "%"),
        ("pitch", voice.pitch_hz, "Hz"),
        ("volume", voice.volume_pct, "%"),
    )
    return [f"{name} {value:+}{unit}" for name, value, unit in changes if value]
