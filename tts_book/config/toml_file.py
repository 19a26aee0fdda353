"""A TOML file as tables, the line of each key, and every mistake with its line.

tomllib stops at the first fault. Here a faulty line is reported with a hint and left out, so that
the mistakes in all other lines are reported in the same run. Tables are checked against a table of
their keys: every mistake is noted, and none stops the next.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tts_book.errors import UserError
from tts_book.text.language_tags import LANGUAGE, normalize_tag

MOST_MISTAKES = 30
# Longer lines are reported, but without a hint.
MOST_CHARACTERS = 500
# The start of an unclosed list is looked for this many lines back.
_LIST_LINES = 40
# Replaces a header that cannot be read, so that its keys are not assigned to the table above it.
_NO_TABLE = "unreadable table in line "

Table = dict[str, object]
# The way to a value: keys of tables and numbers of list items.
Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong on a line, from 1; 0 is the whole file."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class TomlFile:
    """The tables of a file, its syntax mistakes, and whether lines were left out because of them
    (`gaps`)."""

    table: Table
    mistakes: tuple[Mistake, ...] = ()
    gaps: bool = False
    _rows: Sequence[str] = ()
    _lines: Mapping[Where, int] = field(default_factory=dict)

    def line_of(self, where: Where) -> int:
        """The line, from 1, of a key, else that of the nearest table around it, else 0. An item of
        a list is looked for by its text below the list's key."""
        item = self._value(where)
        while where and where not in self._lines:
            where = where[:-1]
        line = self._lines.get(where, 0)
        if item is not None and line:
            looks = (f'"{item}"', f"'{item}'") if isinstance(item, str) else (str(item),)
            for number in range(line, min(line + _LIST_LINES, len(self._rows)) + 1):
                if any(look in self._rows[number - 1] for look in looks):
                    return number
        return line

    def _value(self, where: Where) -> object:
        value: object = self.table
        for part in where:
            if isinstance(value, dict):
                value = value.get(part)
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
        return value if where and isinstance(where[-1], int) else None


@dataclass(frozen=True, slots=True)
class _Fault:
    line: int
    message: str
    at_end: bool = False


def read_limited(path: Path, shown: Path, most_bytes: int) -> bytes | None:
    """The bytes of a file; None where there is none. `shown` is its name in messages. Raises
    UserError if it cannot be read or is larger than `most_bytes`."""
    try:
        with path.open("rb") as stream:
            data = stream.read(most_bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if path.is_dir():
            raise UserError(
                f"{shown} is a folder; a {path.suffix or '.toml'} file is needed."
            ) from None
        raise UserError(f"{shown} cannot be read: {error.strerror or error}.") from None
    if len(data) > most_bytes:
        raise UserError(f"{shown}: is larger than {most_bytes // 1024} KiB, the most that is read.")
    return data


def parse_toml(data: bytes) -> TomlFile:
    """The tables of a TOML file, as far as they can be read, and all that is wrong with it."""
    text = _decoded(data)
    if isinstance(text, Mistake):
        return TomlFile({}, (text,), gaps=True)
    rows = text.replace("\r\n", "\n").split("\n")
    mistakes: list[Mistake] = []
    table, fault = _loads(rows)
    while fault is not None:
        mistakes.append(Mistake(fault.line, _in_words(rows, fault)))
        rows[fault.line - 1] = _without(rows[fault.line - 1], fault.line)
        before, (table, fault) = fault, _loads(rows)
        if fault is not None and _is_hopeless(before, fault, len(mistakes)):
            table, fault = _readable(rows, before.line), None
    known = {key: value for key, value in table.items() if not key.startswith(_NO_TABLE)}
    return TomlFile(known, tuple(mistakes), bool(mistakes), rows, _find_lines(rows))


_SECRETS_IN_ADDRESS = re.compile(
    r"://(?P<login>[^\s/\"'?@]+@)?(?P<host>[^\s\"'?]*)(?P<query>\?[^\s\"']+)?"
)


def raise_mistakes(mistakes: Iterable[Mistake], shown: Path, most: int = MOST_MISTAKES) -> None:
    """Raises UserError with a line for each mistake, if there is any. Nothing that a file may hide
    in its texts can steer a terminal, and passwords and queries in addresses are left out."""
    ordered = sorted(mistakes, key=lambda mistake: (not mistake.line, mistake.line))
    lines = [f"{shown}:{m.line}: {m.text}" if m.line else f"{shown}: {m.text}" for m in ordered]
    if len(lines) > most:
        lines = [*lines[:most], f"{shown}: and {len(lines) - most:,} more."]
    if lines:
        shown_lines = (_SECRETS_IN_ADDRESS.sub(_without_secrets, line) for line in lines)
        plain = ("".join(c if c.isprintable() else "\ufffd" for c in line) for line in shown_lines)
        raise UserError("\n".join(plain))


def _without_secrets(found: re.Match[str]) -> str:
    return f"://{'…@' if found['login'] else ''}{found['host']}{'?…' if found['query'] else ''}"


def _decoded(data: bytes) -> str | Mistake:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data:
        return Mistake(0, "is not UTF-8 but UTF-16 or no text at all: save it as UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Mistake(line, "is not UTF-8 (perhaps Windows-1251): save the file as UTF-8.")


def _loads(rows: Sequence[str]) -> tuple[Table, _Fault | None]:
    try:
        return tomllib.loads("\n".join(rows)), None
    except tomllib.TOMLDecodeError as error:
        message = str(error)
    except RecursionError:
        return {}, _Fault(1, "Brackets are nested too deeply")
    place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    if place is None:
        return {}, _Fault(1, message)
    line = int(place[1]) if place[1] else len(rows)
    return {}, _Fault(line, message[: place.start()], at_end=not place[1])


def _is_hopeless(before: _Fault, fault: _Fault, mistakes: int) -> bool:
    """Whether the next fault is only an echo of the last one, or one too many."""
    return (
        before.at_end
        or before.message.startswith("Unclosed")
        or fault.line <= before.line
        or mistakes >= MOST_MISTAKES
    )


def _readable(rows: Sequence[str], line: int) -> Table:
    """What is before `line`, so that its mistakes are reported as well."""
    for stop in range(line - 1, max(0, line - 1 - _LIST_LINES), -1):
        table, fault = _loads(rows[:stop])
        if fault is None:
            return table
    return {}


def _without(row: str, line: int) -> str:
    return f'["{_NO_TABLE}{line}"]' if row.lstrip().startswith("[") else ""


# --- faults in words ---

_TWICE = ("Cannot overwrite", "Cannot mutate", "Cannot redefine", "Duplicate")
# What a faulty line looks like, and what was probably meant.
_HINTS = tuple(
    (re.compile(look), hint)
    for look, hint in (
        (r".*[“”„‟«»‘’‚‛]", "use straight quotes, not curly ones"),
        (r"\[[^\]]*$", "a ] is missing"),
        (r"[^=\"'#]*[^A-Za-z0-9_.\"'\[\]\s=#-]|[\w.-]++[ \t]++[\w.-]++[^=]*=", "put a name with "
         "characters other than a-z, 0-9, - and _ in quotes"),
        (r"[^=]*=\s*(\[[^\]\"']*\])", "put the names in a list in quotes"),
        (r"[^=]*=\s*(\"[^\"]*\"|'[^']*')\s*[,;]", "nothing may follow the value"),
        (r"[^=]*=\s*\"[^\"]*\\", "use single quotes around text with backslashes"),
        (r"[^=]*=\s*(\"[^\"]*|'[^']*)$", "a closing quote is missing"),
        (r"[^=]*=\s*[^\s\"'\[{]", "put the value in quotes"),
    )
)  # fmt: skip
_COLON = re.compile(r"[\w.-]+\s*:")


def _in_words(rows: Sequence[str], fault: _Fault) -> str:
    row, message = rows[fault.line - 1].strip()[:MOST_CHARACTERS], fault.message
    name = row.partition("=")[0].strip()
    if message.startswith("Cannot declare") or (message.startswith(_TWICE) and row[:1] == "["):
        return f"{name} appears a second time: keep one table."
    if message.startswith(_TWICE):
        return f"{name} is set a second time."
    if message.startswith("Unclosed array"):
        start = _start_of_list(rows, fault.line)
        return f"the list that begins {start} lacks a comma or its closing ]."
    if fault.at_end and any('"""' in row or "'''" in row for row in rows):
        return "a text in triple quotes is never closed."
    if _COLON.match(row):
        return f'write "=" between a key and its value: {row}'
    if row.partition("#")[0].rstrip().endswith("="):
        return f"{name} has no value."
    if len(row) < MOST_CHARACTERS:
        for look, hint in _HINTS:
            if look.match(row):
                return f"{hint}: {row}"
    if row and "=" not in row:
        return f'"{row[:60]}" is neither "key = value" nor a [table].'
    return f"cannot be read as TOML: {message[:1].lower()}{message[1:]}."


def _start_of_list(rows: Sequence[str], line: int) -> str:
    for number in range(line, 0, -1):
        _, equals, value = rows[number - 1].partition("=")
        if equals and value.lstrip().startswith("[") and "]" not in value:
            return f"in line {number}"
    return "above"


# --- lines of keys, which tomllib does not give ---

_KEY = r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
_KEYS = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_ENTRY = re.compile(rf"[ \t]*(?:\[\[?[ \t]*({_KEYS})[ \t]*\]|({_KEYS})[ \t]*=)")
_STRING = re.compile(
    r'#[^\n]*|"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.S
)


def _find_lines(rows: Sequence[str]) -> dict[Where, int]:
    """The line, from 1, on which each table, and each key at the start of a line, first is."""
    found: dict[Where, int] = {}
    table: Where = ()
    text = _STRING.sub(_without_lines, "\n".join(rows))
    for number, row in enumerate(text.split("\n"), 1):
        entry = _ENTRY.match(row)
        if entry is None:
            continue
        path: Where = tuple(_plain(part) for part in re.findall(_KEY, entry[1] or entry[2]))
        table, path = (path, path) if entry[1] else (table, (*table, *path))
        for length in range(1, len(path) + 1):
            found.setdefault(path[:length], number)
    return found


def _without_lines(string: re.Match[str]) -> str:
    """A string of several lines as blank lines, any other as it is."""
    return "\n" * string[0].count("\n") or string[0]


def _plain(key: str) -> str:
    if key[0] not in "\"'":
        return key
    try:
        return str(tomllib.loads(f"key = {key}")["key"])
    except tomllib.TOMLDecodeError:  # in a line that is reported for it
        return key[1:-1]


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
