"""The tables of a voices.toml into values; every mistake noted, none stops the next.

A voice that has mistakes still counts as a name, so that one mistake is told once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from tts_book.config.toml_lines import Where
from tts_book.model import Voice
from tts_book.text.language_tags import EDGE_ID, LANGUAGE, backend_of, language_of, normalize_tag

# What the services take: beyond these they refuse, or speech is no speech any more.
RANGES = {"rate": (-90, 200, "%"), "pitch": (-200, 200, "Hz"), "volume": (-90, 100, "%")}
PAUSES = ("sentence", "paragraph", "heading", "scene", "chapter")
LONGEST_PAUSE_MS = 60_000
GENDERS = ("male", "female")

_TOP = ("default", "voices", "languages", "pauses")
_VOICE = ("backend", "id", "language", "gender", *RANGES, "fallback")
# What people write instead, from other programs and from memory.
_MEANT = {
    "voice": "id", "name": "id", "model": "id", "engine": "backend", "provider": "backend",
    "service": "backend", "speed": "rate", "tempo": "rate", "lang": "language",
    "locale": "language", "sex": "gender", "tone": "pitch", "loudness": "volume",
}  # fmt: skip
_MEANT_ON_TOP = {"default_voice": "default", "speakers": "voices", "voice": "voices"}
_MEANT_BY_PAUSE = {f"{kind}_ms": kind for kind in PAUSES} | {"title": "heading"}

_CHANGE = re.compile(r"([+-]?)(\d{1,6})(%|hz)?", re.I)
Note = Callable[[Where, str], None]


@dataclass(frozen=True, slots=True)
class Draft:
    """What one file says. `voices` has every name, also of a voice that has mistakes; `written`
    are the language tags as the file writes them."""

    default: str | None
    voices: Mapping[str, Voice]
    languages: Mapping[str, tuple[str, ...]]
    written: Mapping[str, str]
    pauses_ms: Mapping[str, int]


def draft(
    table: Mapping[str, object],
    packaged: Mapping[str, Voice],
    backends: Collection[str],
    note: Note,
) -> Draft:
    """What `table` says; `note` is told each mistake and where it is.

    A voice without backend and id builds on the one of its name in `packaged`.
    """
    for key in table:
        if key not in _TOP:
            note((key,), _unknown_on_top(key, table[key]))
    voices, languages = _table(table, "voices", note), _table(table, "languages", note)
    return Draft(
        _text(table, (), "default", note) or None,
        {name: _voice(name, voices[name], packaged, backends, note) for name in voices},
        _languages(languages, note),
        {normalize_tag(key): key for key in reversed(list(languages))},
        _pauses(_table(table, "pauses", note), note),
    )


def close(word: str, known: Iterable[str]) -> str:
    """` Did you mean "..."?` where one of the `known` is like `word`, else nothing."""
    folded = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return f' Did you mean "{folded[found[0]]}"?' if found else ""


def change(kind: str, value: object) -> int:
    """A rate, pitch or volume: -5, "-5%" or "+8Hz". Raises ValueError with a phrase that goes
    after the name of what was set."""
    lowest, highest, unit = RANGES[kind]
    number: object = value
    if isinstance(value, str):
        found = _CHANGE.fullmatch(re.sub(r"[−–\s]", _plain_minus, value))
        fits = found and (found[3] or unit).casefold() == unit.casefold()
        number = int(f"{found[1]}{found[2]}") if found and fits else None
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValueError(f'must be a whole number or text like "-5{unit}", not {shown(value)}.')
    if not lowest <= number <= highest:
        raise ValueError(f"must be between {lowest} and +{highest} {unit}, not {number}.")
    return number


def _plain_minus(found: re.Match[str]) -> str:
    return "-" if found[0] in "−–" else ""


def shown(value: object) -> str:
    """A value of the file as one short word or two."""
    if isinstance(value, str):
        return f'"{value[:60]}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)[:60]
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a table"
    return "a date or time"


def _unknown_on_top(key: str, value: object) -> str:
    if isinstance(value, dict) and {"backend", "id"} & set(value):
        return f'unknown table [{key}]. Did you mean "[voices.{key}]"?'
    kind = f"table [{key}]" if isinstance(value, dict) else f'key "{key}"'
    return f"unknown {kind}.{_meant(key, _TOP, _MEANT_ON_TOP)}"


def _meant(key: str, known: Iterable[str], synonyms: Mapping[str, str]) -> str:
    hint = close(key, [*known, *synonyms])
    for wrong, right in synonyms.items():
        hint = hint.replace(f'"{wrong}"', f'"{right}"')
    return hint


def _table(table: Mapping[str, object], key: str, note: Note) -> Mapping[str, object]:
    value = table.get(key, {})
    if isinstance(value, dict):
        return value
    example = "[voices.NAME]" if key == "voices" else f"[{key}]"
    note((key,), f"{key} must be a table, {example}, not {shown(value)}.")
    return {}


def _text(table: Mapping[str, object], where: Where, key: str, note: Note) -> str:
    value = table.get(key, "")
    if isinstance(value, str) and (value.strip() or key not in table):
        return value.strip()
    wrong = "empty" if value == "" or isinstance(value, str) else shown(value)
    note((*where, key), f"{_dotted((*where, key))} must be text in quotes, not {wrong}.")
    return ""


def _voice(
    name: str, value: object, packaged: Mapping[str, Voice], backends: Collection[str], note: Note
) -> Voice:
    where: Where = ("voices", name)
    if not isinstance(value, dict):
        note(where, f"{_dotted(where)} must be a table, not {shown(value)}.")
        return Voice(name, "", "")
    for key in value:
        if key not in _VOICE:
            note((*where, key), _unknown_in_voice(key, name))
    voice = _who(name, value, packaged, backends, note)
    return replace(
        voice,
        gender=_gender(value, where, note) or voice.gender,
        rate_pct=_changed("rate", value, where, voice.rate_pct, note),
        pitch_hz=_changed("pitch", value, where, voice.pitch_hz, note),
        volume_pct=_changed("volume", value, where, voice.volume_pct, note),
        fallback=_names(value["fallback"], (*where, "fallback"), note)
        if "fallback" in value
        else voice.fallback,
    )


def _unknown_in_voice(key: str, name: str) -> str:
    told = f'unknown key "{key}" in [voices.{name}].'
    if key in _TOP:
        return f"{told} It belongs above the first [table]."
    return told + _meant(key, _VOICE, _MEANT)


def _who(
    name: str,
    value: Mapping[str, object],
    packaged: Mapping[str, Voice],
    backends: Collection[str],
    note: Note,
) -> Voice:
    where: Where = ("voices", name)
    if name in packaged and "backend" not in value and "id" not in value:
        known = packaged[name]
        return replace(known, language=_language(value, where, note) or known.language)
    backend, id_ = _text(value, where, "backend", note), _text(value, where, "id", note)
    if "backend" not in value:
        guess = backend_of(id_)
        hint = f': write backend = "{guess}"' if guess else ""
        note(where, f"{_dotted(where)} has no backend{hint}.")
    elif backend and backend not in backends:
        known_ones = ", ".join(backends)
        hint = close(backend, backends) or f" Known: {known_ones}."
        note((*where, "backend"), f'{_dotted(where)}.backend = "{backend}" is not known.{hint}')
    elif backend:
        _check_id(backend, id_, "id" in value, where, note)
    language = _language(value, where, note) or language_of(backend, id_)
    return Voice(name, backend, id_ or backend, language)


def _check_id(backend: str, id_: str, given: bool, where: Where, note: Note) -> None:
    if not given and backend != "silent":
        note(where, f"{_dotted(where)} has no id: what {backend} calls the voice.")
    if backend == "edge" and id_ and not EDGE_ID.fullmatch(id_):
        wrong = f'{_dotted(where)}.id = "{id_}" is no voice of the online service'
        note((*where, "id"), f'{wrong}: they look like "ru-RU-DmitryNeural".')


def _language(value: Mapping[str, object], where: Where, note: Note) -> str:
    tag = _text(value, where, "language", note)
    if tag and not LANGUAGE.fullmatch(tag):
        wrong = f'{_dotted(where)}.language = "{tag}" is no language tag'
        note((*where, "language"), f'{wrong}, like "ru" or "pt-BR".')
        return ""
    return normalize_tag(tag) if tag else ""


def _gender(value: Mapping[str, object], where: Where, note: Note) -> str:
    gender = _text(value, where, "gender", note)
    if gender and gender not in GENDERS:
        wrong = f'{_dotted(where)}.gender = "{gender}"'
        note((*where, "gender"), f'{wrong} is neither "male" nor "female".{close(gender, GENDERS)}')
    return gender


def _changed(kind: str, value: Mapping[str, object], where: Where, before: int, note: Note) -> int:
    if kind not in value:
        return before
    try:
        return change(kind, value[kind])
    except ValueError as error:
        note((*where, kind), f"{_dotted((*where, kind))} {error}")
        return before


def _names(value: object, where: Where, note: Note) -> tuple[str, ...]:
    items: Sequence[object] = value if isinstance(value, list) else [value]
    for number, item in enumerate(items):
        if not isinstance(item, str) or not item.strip():
            at = (*where, number) if isinstance(value, list) else where
            note(at, f"{_dotted(where)} must name voices in quotes, not {shown(item)}.")
    return tuple(item.strip() for item in items if isinstance(item, str) and item.strip())


def _languages(table: Mapping[str, object], note: Note) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for key, value in table.items():
        where: Where = ("languages", key)
        if not LANGUAGE.fullmatch(key):
            note(where, f'"{key}" in [languages] is no language tag, like "ru" or "pt-BR".')
        elif normalize_tag(key) in found:
            note(where, f'"{key}" in [languages] is there already, as {normalize_tag(key)}.')
        else:
            found[normalize_tag(key)] = _names(value, where, note)
    return found


def _pauses(table: Mapping[str, object], note: Note) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, value in table.items():
        where: Where = ("pauses", key)
        if key not in PAUSES:
            note(where, f'unknown key "{key}" in [pauses].{_meant(key, PAUSES, _MEANT_BY_PAUSE)}')
        elif isinstance(value, bool) or not isinstance(value, int):
            note(where, f"pauses.{key} must be whole milliseconds, like 600, not {shown(value)}.")
        elif not 0 <= value <= LONGEST_PAUSE_MS:
            note(where, f"pauses.{key} must be 0 to {LONGEST_PAUSE_MS} milliseconds, not {value}.")
        else:
            found[key] = value
    return found


def _dotted(where: Where) -> str:
    return ".".join(str(part) for part in where)
