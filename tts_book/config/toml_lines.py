"""On which line each key of a TOML text stands: tomllib does not say.

A scan, not a parser: it is made for texts that tomllib has read already, and stops where it does
not understand, so that a mistake is then told with the line of the table around it.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping

# The way to a value: keys of tables and numbers of list items.
Where = tuple[str | int, ...]

DEEPEST = 12
_BLANK = re.compile(r"[ \t]*")
_VOID = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r""" "(?:[^"\\\n]|\\.)*" | '[^'\n]*' | [A-Za-z0-9_-]+ """, re.X)
_SCALAR = re.compile(
    r'''
    """(?:[^"\\]|\\.|"(?!""))*""""{0,2} | \'{3}(?:[^']|'(?!''))*\'{3}'{0,2}
    | "(?:[^"\\\n]|\\.)*" | '[^'\n]*' | [^\s,\]\}\#][^,\]\}\#\n]*
    ''',
    re.X | re.S,
)


class _Lost(ValueError):
    """The scan met what it does not understand."""


def lines(text: str) -> dict[Where, int]:
    """The line, from 1, on which each key, table and list item is first named."""
    scan = _Scan(text)
    try:
        scan.document()
    except _Lost:
        return scan.found  # the lines so far are right, and `line_of` makes do with them
    return scan.found


def line_of(found: Mapping[Where, int], where: Where) -> int:
    """The line of `where`, else of the nearest table around it, else 0."""
    while where and where not in found:
        where = where[:-1]
    return found.get(where, 0)


class _Scan:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.found: dict[Where, int] = {}
        self._ends = [match.start() for match in re.finditer("\n", text)]

    def document(self) -> None:
        table: Where = ()
        counts: dict[Where, int] = {}
        while not self._over():
            if self._take("[["):
                key = self._key(())
                counts[key] = counts.get(key, -1) + 1
                table = (*key, counts[key])
                self.found[table] = self._line()
                self._need("]]")
            elif self._take("["):
                table = self._key(())
                self._need("]")
            else:
                self._pair(table)

    def _pair(self, table: Where) -> None:
        key = self._key(table)
        self._need("=")
        self._match(_BLANK)
        self._value(key)

    def _key(self, path: Where) -> Where:
        while True:
            self._match(_BLANK)
            line = self._line()
            part = self._match(_KEY)
            path = (*path, _plain(part))
            self.found.setdefault(path, line)
            self._match(_BLANK)
            if not self._take("."):
                return path

    def _value(self, path: Where) -> None:
        if len(path) > DEEPEST:
            raise _Lost
        if self._take("["):
            self._list(path)
        elif self._take("{"):
            while not self._closes("}"):
                self._pair(path)
        else:
            self._match(_SCALAR)

    def _list(self, path: Where) -> None:
        number = 0
        while not self._closes("]"):
            self.found[(*path, number)] = self._line()
            self._value((*path, number))
            number += 1

    def _closes(self, bracket: str) -> bool:
        self._match(_VOID)
        if self._take(","):
            self._match(_VOID)
        return self._take(bracket)

    def _over(self) -> bool:
        self._match(_VOID)
        return self.at == len(self.text)

    def _take(self, mark: str) -> bool:
        taken = self.text.startswith(mark, self.at)
        self.at += len(mark) if taken else 0
        return taken

    def _need(self, mark: str) -> None:
        if not self._take(mark):
            raise _Lost

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _Lost
        self.at = match.end()
        return match[0]

    def _line(self) -> int:
        return bisect_left(self._ends, self.at) + 1


def _plain(part: str) -> str:
    if part[0] not in "\"'":
        return part
    try:
        plain: str = tomllib.loads(f"x={part}")["x"]
    except tomllib.TOMLDecodeError as error:
        raise _Lost from error
    return plain
