"""Tables of a TOML file checked against a table of their keys: every mistake is noted, and none
stops the next."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from urllib.parse import urlsplit, urlunsplit

from tts_book.config.toml_file import Where
from tts_book.text.language_tags import LANGUAGE, normalize_tag

# What the services take: beyond these they refuse, or speech is no speech any more.
RANGES = {"rate": (-90, 200, "%"), "pitch": (-200, 200, "Hz"), "volume": (-90, 100, "%")}
LONGEST_PAUSE_MS = 60_000
_CHANGE = re.compile(r"([+-]?)(\d{1,6})(%|hz)?", re.I)

# Takes what is wrong, and where.
Note = Callable[[Where, str], None]
# Turns a value of the file into one of ours; raises ValueError with a phrase that goes after the
# name of the key.
Check = Callable[[object], object]


def read_table(
    value: object,
    where: Where,
    checks: Mapping[str, Check],
    note: Note,
    unknown: Callable[[str, object], str],
) -> dict[str, object]:
    """The checked values of a table, without those that have mistakes. `unknown` says what is
    wrong with a key that `checks` does not have."""
    if not isinstance(value, dict):
        note(where, f"{dotted(where)} must be a table, not {describe(value)}.")
        return {}
    found: dict[str, object] = {}
    for key, its in value.items():
        if key not in checks:
            note((*where, key), unknown(key, its))
            continue
        try:
            found[key] = checks[key](its)
        except ValueError as error:
            note((*where, key), f"{dotted((*where, key))} {error}")
    return found


def suggest(word: str, known: Iterable[str], meant: Mapping[str, str] | None = None) -> str:
    """` Did you mean "..."?` where one of the `known` is like `word`, else nothing. `meant` are
    words that people use for some of the known ones."""
    synonyms = meant or {}
    folded = {name.casefold(): name for name in (*synonyms, *known)}
    found = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    name = folded[found[0]] if found else ""
    return f' Did you mean "{synonyms.get(name, name)}"?' if found else ""


def dotted(where: Where) -> str:
    """The way to a value as TOML writes it: voices.dmitry.rate."""
    return ".".join(str(part) for part in where)


def describe(value: object) -> str:
    """A value of the file as one short word or two."""
    if isinstance(value, str):
        return f'"{value[:60]}"' if value.strip() else "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)[:60]
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a table"
    return "a date or time"


# --- checks ---


def text(value: object) -> str:
    """Text that says something."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ValueError(f"must be text in quotes, not {describe(value)}.")


def address(*schemes: str) -> Check:
    """An address that begins with one of these schemes. It may hold a password, so a mistake in it
    is described without it."""

    def check(value: object) -> str:
        url = text(value)
        try:
            parts = urlsplit(url)
            whole = parts.scheme in schemes and parts.hostname and parts.port != 0
        except ValueError:
            whole = None
        if not whole:
            known = " or ".join(f"{scheme}://" for scheme in schemes)
            raise ValueError(f"must be an address that begins with {known}.")
        return url

    return check


def language_tag(value: object) -> str:
    """A language tag, as BCP 47 writes it."""
    tag = text(value)
    if not LANGUAGE.fullmatch(tag):
        raise ValueError(f'= "{tag}" is not a language tag like "ru" or "pt-BR".')
    return normalize_tag(tag)


def one_of(*words: str) -> Check:
    """One of some words."""

    def check(value: object) -> str:
        word = text(value)
        if word not in words:
            known = ", ".join(f'"{known}"' for known in words[:-1]) + f' nor "{words[-1]}"'
            raise ValueError(f'= "{word}" is neither {known}.{suggest(word, words)}')
        return word

    return check


def change(kind: str) -> Check:
    """A rate, pitch or volume: -5, "-5%" or "+8Hz"."""
    lowest, highest, unit = RANGES[kind]

    def check(value: object) -> int:
        number: object = value
        if isinstance(value, str):
            found = _CHANGE.fullmatch(re.sub(r"[−–\s]", _plain_minus, value))
            fits = found and (found[3] or unit).casefold() == unit.casefold()
            number = int(f"{found[1]}{found[2]}") if found and fits else None
        if isinstance(number, bool) or not isinstance(number, int):
            wrong = f'"{value}"' if isinstance(value, str) else describe(value)
            raise ValueError(f'must be a whole number or text like "-5{unit}", not {wrong[:60]}.')
        if not lowest <= number <= highest:
            raise ValueError(f"must be between {lowest} and +{highest} {unit}, not {number}.")
        return number

    return check


def pause_ms(value: object) -> int:
    """A pause in milliseconds."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be whole milliseconds, like 600, not {describe(value)}.")
    if not 0 <= value <= LONGEST_PAUSE_MS:
        raise ValueError(f"must be 0 to {LONGEST_PAUSE_MS} milliseconds, not {value}.")
    return value


def name_list(value: object) -> tuple[object, ...]:
    """Names of voices: one, or a list of them. The items are checked where voices are known."""
    return tuple(value) if isinstance(value, list) else (value,)


def http_url(value: object) -> tuple[str, str]:
    """An address without name and password, and these ("name:password" or "")."""
    url = text(value)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise ValueError('must be an address like "http://localhost:8880".')
    login, _, host = parts.netloc.rpartition("@")
    path = parts.path.rstrip("/").removesuffix("/audio/speech").removesuffix("/v1")
    return urlunsplit((parts.scheme, host, path.rstrip("/"), "", "")), login


def variable_name(value: object) -> str:
    """The name of an environment variable, never a key itself."""
    name = text(value)
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,60}", name):
        raise ValueError(
            'must be the name of an environment variable in capitals, like "SPEECH_KEY"; a key '
            "itself is never written here."
        )
    return name


def json_table(value: object) -> str:
    """A table as a JSON object, its keys in order."""
    if not isinstance(value, dict):
        raise ValueError(f"must be a table, {{ speaker = 3 }}, not {describe(value)}.")
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    except TypeError:
        raise ValueError("may hold texts, numbers, lists and tables, no dates.") from None


def table(name: str) -> Check:
    """The table called `name`."""
    example = "[voices.NAME]" if name == "voices" else f"[{name}]"

    def check(value: object) -> object:
        if not isinstance(value, dict):
            raise ValueError(f"must be a table, {example}, not {describe(value)}.")
        return value

    return check


def _plain_minus(found: re.Match[str]) -> str:
    return "-" if found[0] in "−–" else ""
