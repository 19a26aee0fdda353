"""A voices.toml as bytes into tables, and what is wrong with it in words a person can use.

tomllib stops at the first fault. Here each faulty line is mended as it was probably meant, so that
all faults are told at once, each with the line as it should read.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# A voices.toml with every language of the online service has 17,000 bytes.
MOST_BYTES = 128 * 1024
MOST_MISTAKES = 30
# Longer lines are told, but nobody guesses what was meant.
MOST_CHARACTERS = 500
# An unclosed list is looked for so many lines back.
_LIST_LINES = 40
# Stands for a header that cannot be read, so that its keys are not taken for another table's.
_NO_TABLE = "unreadable table in line "

Table = dict[str, object]


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong on a line, from 1; 0 is the whole file."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """The tables, what was wrong, the text as it was read, and whether lines were left out."""

    table: Table
    mistakes: tuple[Mistake, ...]
    text: str
    gaps: bool


@dataclass(frozen=True, slots=True)
class _Fault:
    line: int
    message: str
    at_end: bool = False


def parse(data: bytes) -> Parsed:
    """The tables of a TOML file, as far as they can be read, and all that is wrong with it."""
    text = _decoded(data)
    if isinstance(text, Mistake):
        return Parsed({}, (text,), "", gaps=True)
    rows = text.replace("\r\n", "\n").split("\n")
    mistakes: list[Mistake] = []
    gaps = False
    table, fault = _loads(rows)
    while fault is not None:
        mend = _mended(rows, fault)
        words = f"{mend[0]}: {mend[1].strip()}" if mend else _in_words(rows, fault)
        mistakes.append(Mistake(fault.line, words))
        gaps = gaps or mend is None
        rows[fault.line - 1] = mend[1] if mend else _nothing(rows, fault.line)
        before, (table, fault) = fault, _loads(rows)
        if fault is not None and _hopeless(before, fault, len(mistakes)):
            gaps, table, fault = True, _readable(rows, before.line), None
    known = {key: value for key, value in table.items() if not key.startswith(_NO_TABLE)}
    return Parsed(known, tuple(mistakes), "\n".join(rows), gaps)


def _decoded(data: bytes) -> str | Mistake:
    if len(data) > MOST_BYTES:
        return Mistake(0, f"is larger than {MOST_BYTES // 1024} KiB: that is no voices.toml.")
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
        told = str(error)
    except RecursionError:
        return {}, _Fault(1, "Brackets are nested too deeply")
    place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", told)
    if place is None:
        return {}, _Fault(1, told)
    line = int(place[1]) if place[1] else len(rows)
    return {}, _Fault(line, told[: place.start()], at_end=not place[1])


def _hopeless(before: _Fault, fault: _Fault, mistakes: int) -> bool:
    """Whether the next fault is only an echo of the last one, or one too many."""
    return (
        before.at_end
        or before.message.startswith("Unclosed")
        or fault.line <= before.line
        or mistakes >= MOST_MISTAKES
    )


def _readable(rows: Sequence[str], line: int) -> Table:
    """What stands before `line`, so that its mistakes are told as well."""
    for stop in range(line - 1, max(0, line - 1 - _LIST_LINES), -1):
        table, fault = _loads(rows[:stop])
        if fault is None:
            return table
    return {}


def _mended(rows: Sequence[str], fault: _Fault) -> tuple[str, str] | None:
    """What the faulty line lacks, in words, and the line as it should be."""
    row = rows[fault.line - 1]
    if len(row) > MOST_CHARACTERS or _loads([row])[1] is None:
        return None  # no line of a person, or one that is well, but not where it stands
    once = [(words, mend(row)) for words, mend in _MENDS]
    for words, mended in once:
        if mended not in (row, "") and _heals(rows, fault, mended):
            return words, mended
    for words, half in once:
        for _, mend in _MENDS:
            mended = mend(half)
            if mended.strip() and _loads([mended])[1] is None:
                return words, mended
    return None


def _heals(rows: Sequence[str], fault: _Fault, mended: str) -> bool:
    if _loads([mended])[1] is None:
        return True
    left = _loads([*rows[: fault.line - 1], mended, ""])[1]
    # A list that goes on in the next lines is cut off behind this one, and that is well.
    return left is None or (left.at_end and not fault.at_end)


def _nothing(rows: Sequence[str], line: int) -> str:
    return f'["{_NO_TABLE}{line}"]' if rows[line - 1].lstrip().startswith("[") else ""


_AGAIN = ("Cannot overwrite", "Cannot mutate", "Cannot redefine", "Duplicate")


def _in_words(rows: Sequence[str], fault: _Fault) -> str:
    row, message = rows[fault.line - 1].strip()[:MOST_CHARACTERS], fault.message
    name = row.partition("=")[0].strip()
    if message.startswith("Cannot declare") or (message.startswith(_AGAIN) and row[:1] == "["):
        return f"{name} stands here a second time: one table for each voice."
    if message.startswith(_AGAIN):
        return f"{name} is set a second time."
    if message.startswith("Unclosed array"):
        return f"the list that begins {_opened(rows, fault.line)} lacks a comma or its closing ]."
    if fault.at_end and any('"""' in row or "'''" in row for row in rows):
        return "a text in triple quotes is never closed."
    if row.split("#")[0].rstrip().endswith("="):
        return f"{name} has no value."
    if row and "=" not in row and not row.startswith("["):
        return f'"{row[:60]}" is neither "key = value" nor a [table].'
    return f"cannot be read as TOML: {message[:1].lower()}{message[1:]}."


def _opened(rows: Sequence[str], line: int) -> str:
    for number in range(line, 0, -1):
        _, equals, value = rows[number - 1].partition("=")
        if equals and value.lstrip().startswith("[") and "]" not in value:
            return f"in line {number}"
    return "above"


# --- how a line was probably meant ---

_STRAIGHT = {ord(mark): '"' for mark in "“”„‟«»"} | {ord(mark): "'" for mark in "‘’‚‛"}
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def _straight_quotes(row: str) -> str:
    return row.translate(_STRAIGHT)


def _single_quotes(row: str) -> str:
    def single(found: re.Match[str]) -> str:
        return f"'{found[1]}'" if "\\" in found[1] else found[0]

    return re.sub(r'"([^"\']*)"', single, row)


def _quoted_name(row: str) -> str:
    if row.lstrip().startswith("["):
        name, bracket, rest = row.strip().strip("[").partition("]")
        return f"[{_quoted_parts(name)}{bracket}{rest}"
    name, equals, value = row.partition("=")
    return f"{_quoted_parts(name)} ={value}" if equals else row


def _quoted_parts(name: str) -> str:
    if '"' in name or "'" in name or not name.strip():
        return name
    # Only the first dot of voices.NAME parts words: a dot inside a name is the name's own.
    parts = [part.strip() for part in name.split(".", 1)]
    return ".".join(part if _BARE.fullmatch(part) else f'"{part}"' for part in parts)


def _equals_sign(row: str) -> str:
    return re.sub(r"^([\w.-]+)[ \t]*:=?[ \t]*", r"\1 = ", row.strip())


def _quoted_value(row: str) -> str:
    name, _, rest = row.partition("=")
    value = rest.split(" #")[0].strip().rstrip(",;").strip("\"'")
    return f'{name.strip()} = "{value}"' if value else row


def _quoted_items(row: str) -> str:
    name, _, rest = row.partition("=")
    inside = rest.split(" #")[0].strip()
    if not (inside.startswith("[") and inside.endswith("]")):
        return row
    items = [item.strip().strip("\"'") for item in inside[1:-1].split(",")]
    quoted = ", ".join(f'"{item}"' for item in items if item)
    return f"{name.strip()} = [{quoted}]"


def _closed_header(row: str) -> str:
    return f"{row.rstrip()}]" if row.lstrip().startswith("[") else row


def _no_tail(row: str) -> str:
    return row.rstrip().rstrip(",;")


_MENDS: Sequence[tuple[str, Callable[[str], str]]] = (
    ("curly quotes; straight ones are meant", _straight_quotes),
    ("a backslash wants single quotes around the text", _single_quotes),
    ("a name with other signs than a-z, 0-9, - and _ must stand in quotes", _quoted_name),
    ('"=" goes between a key and its value', _equals_sign),
    ("nothing may follow the value", _no_tail),
    ("a ] is missing", _closed_header),
    ("the names in a list must stand in quotes", _quoted_items),
    ("the value must stand in quotes", _quoted_value),
)
