"""Every regular expression of the package takes time that grows with the text, and no faster.

Each is fed what it can match itself, again and again: every repeated part of it, reached through
what stands before it, and the whole of it but its end, up to 50,000 characters. Time is the
processor's, and only its growth counts.
"""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tts_book.text.abbreviations import WORDS

PACKAGE = Path(__file__).parents[1] / "tts_book"
_PARSER: Any = importlib.import_module("re._parser")
_VARIANTS = 3  # of each alternative and each class of characters are tried
_UNITS = 30  # repeated texts for one pattern at most
# Small sizes grow slowly: an exponential pattern must fail before it hangs.
SIZES = (*range(8, 40, 4), 64, 160, 400, 1_000, 3_000, 12_500, 50_000)
_GROWTH = 2.4  # of time to text: 4 at four times the text is a loop in a loop
_NOISE_S = 0.004
_RETRIES = 8

Node = tuple[Any, Any]


# All patterns


@dataclass(frozen=True)
class Found:
    """A pattern, and whether it is looked for everywhere (`finditer`) or at one place."""

    pattern: re.Pattern[str]
    method: str


_SEARCHES = ("search", "finditer", "findall", "sub", "subn")
_METHODS = {"match": "match", "fullmatch": "fullmatch"} | dict.fromkeys(_SEARCHES, "finditer")


def modules() -> Iterator[tuple[str, Path]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(("tts_book", *file.relative_to(PACKAGE).with_suffix("").parts))
        if not name.endswith("__main__"):
            yield name.removesuffix(".__init__"), file


@cache
def patterns() -> dict[str, tuple[Found, ...]]:
    """By module: what it holds, and what its functions compile; the word lists hold phrases."""
    known: set[Found] = set()
    found: dict[str, tuple[Found, ...]] = {}
    for name, file in modules():
        here = [*_held(name, file), *_inline(name, file)]
        if name == "tts_book.text.abbreviations":
            phrases = (p for words in WORDS.values() for p in (words.inside, words.ending))
            here += [Found(re.compile(p, re.IGNORECASE), "finditer") for p in phrases if p]
        own = [pattern for pattern in dict.fromkeys(here) if pattern not in known]
        known.update(own)
        if own:
            found[name] = tuple(own)
    return found


def _held(name: str, file: Path) -> Iterator[Found]:
    used: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=method) if method in _METHODS:
                used.setdefault(owner, set()).add(_METHODS[method])
    held = vars(importlib.import_module(name))
    # A pattern in a table has the name of a loop's variable where it is used.
    others = set().union(*(methods for owner, methods in used.items() if owner not in held))
    for variable, value in held.items():
        for pattern in _inside(value) if not variable.startswith("__") else ():
            for method in sorted(used.get(variable) or others or {"finditer", "fullmatch"}):
                yield Found(pattern, method)


def _inside(value: Any) -> Iterator[re.Pattern[str]]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, re.Pattern):
            is_text = isinstance(value.pattern, str)
            yield value if is_text else re.compile(value.pattern.decode("latin-1"))
        elif isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, (list, tuple, frozenset, set)):
            waiting += value


def _inline(name: str, file: Path) -> Iterator[Found]:
    """`re.search("…", text)` inside a function, where the pattern is known before the call."""
    names = vars(importlib.import_module(name))
    for call in ast.walk(ast.parse(file.read_text("utf-8"))):
        match call:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re"), attr=method), args=[first, *_]
            ) if method in _METHODS:
                code = compile(ast.Expression(first), str(file), "eval")
                try:
                    pattern = eval(code, dict(names))
                except NameError:  # made of a function's own values
                    continue
                if isinstance(pattern, str):
                    yield Found(re.compile(pattern), _METHODS[method])


# What a pattern likes to read


def samples(tree: Iterable[Node]) -> list[str]:
    """A few short texts that the parsed pattern can match."""
    made = [""]
    for node in tree:
        made = [head + tail for tail in _of_node(node) for head in made][: 2 * _VARIANTS]
    return made


def _of_node(node: Node) -> list[str]:
    match str(node[0]), node[1]:
        case "LITERAL", value:
            return [chr(value)]
        case "ANY", _:
            return ["a", " "]
        case "IN" | "NOT_LITERAL", _:
            return _of_class(node)
        case "BRANCH", (_, branches):
            return [text for branch in branches[: 3 * _VARIANTS] for text in samples(branch)[:1]]
        case "SUBPATTERN" | "ATOMIC_GROUP" as kind, value:
            return samples(value[-1] if kind == "SUBPATTERN" else value)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT", (least, _, body):
            return [text * max(1, min(least, 4)) for text in samples(body)]
    return [""]


def _of_class(node: Node) -> list[str]:
    members = [(Any, node[1])] if str(node[0]) == "NOT_LITERAL" else node[1]
    letters = [" ", ".", "a", "A", "1", "-", "\n", "я", "—", "_", '"']
    for kind, value in members:
        if str(kind) in ("LITERAL", "RANGE"):
            letters.insert(0, chr(value if str(kind) == "LITERAL" else value[0]))
    fits = [letter for letter in dict.fromkeys(letters) if _holds(node, letter)]
    return fits[:_VARIANTS] or ["a"]


_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_WORD": lambda c: c.isalnum() or c == "_",
}


def _holds(node: Node, letter: str) -> bool:
    if str(node[0]) == "NOT_LITERAL":
        return letter != chr(node[1])
    members = list(node[1])
    negated = bool(members) and str(members[0][0]) == "NEGATE"
    return negated != any(_is_member(member, letter) for member in members)


def _is_member(member: Node, letter: str) -> bool:
    match str(member[0]), member[1]:
        case "LITERAL", value:
            return letter == chr(value)
        case "RANGE", (low, high):
            return bool(low <= ord(letter) <= high)
        case "CATEGORY", value:
            name = str(value)
            return ("_NOT_" in name) != _CATEGORIES[name.replace("_NOT", "")](letter)
    return False


def attacks(tree: list[Node], before: str = "") -> Iterator[tuple[str, str]]:
    """What stands before, and what to repeat: every repeated part, reached through the rest."""
    yield before, samples(tree)[0]
    yield before, samples(tree[:-1])[0]
    for node in tree:
        match str(node[0]), node[1]:
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT", (_, most, body):
                if most > 8:
                    units = samples(body)
                    yield from ((before, unit) for unit in (*units, "".join(units)))
                yield from attacks(list(body), before)
            case "SUBPATTERN", value:
                yield from attacks(list(value[-1]), before)
            case "BRANCH", (_, branches):
                for branch in branches:
                    yield from attacks(list(branch), before)
        before += _of_node(node)[0]


def texts(pattern: re.Pattern[str]) -> Iterator[tuple[str, str, str]]:
    """What stands before, what is repeated, what stands behind."""
    tree = list(_PARSER.parse(pattern.pattern, pattern.flags & ~re.DEBUG))
    units = dict.fromkeys((before, unit) for before, unit in attacks(tree) if unit)
    for before, unit in list(units)[:_UNITS]:
        for after in ("", "\x01"):
            yield before, unit, after


# Their time


def cpu_s(found: Found, text: str) -> float:
    method = getattr(found.pattern, found.method)
    began = time.process_time()
    if found.method == "finditer":
        deque(method(text), maxlen=0)
    else:
        method(text)
    return time.process_time() - began


def hunger(found: Found, longest: int) -> str:
    """The first text on which time grows faster than the text, or ""."""
    for before, unit, after in texts(found.pattern):
        last_s, last = 0.0, 1
        for size in (size for size in SIZES if size <= longest):
            text = before + unit * (size // len(unit)) + after
            limit_s = _GROWTH * size / last * last_s + _NOISE_S
            spent_s = cpu_s(found, text)
            again = 0
            while spent_s > limit_s and again < _RETRIES:  # something else may have disturbed it
                spent_s = min(spent_s, cpu_s(found, text))
                again += 1
            if spent_s > limit_s:
                return (
                    f"{found.method} {found.pattern.pattern[:150]!r} on "
                    f"{before!r} + {unit!r} * {size // len(unit)} + {after!r}"
                )
            last_s, last = spent_s, size
    return ""


@pytest.mark.parametrize("module", patterns())
def test_time_grows_with_the_text_only(module: str) -> None:
    hungry = [hunger(found, SIZES[-1]) for found in patterns()[module]]
    assert not any(hungry), "\n".join(filter(None, hungry))


HUNGRY = (
    (r"(?: ?[.…] ?){3,}\s*\d\Z", "finditer"),
    (r"(a+)+b", "match"),
    (r"\s+\Z", "finditer"),
    (r"a.*b.*c", "finditer"),
    (r"\d+(?=x)", "finditer"),
    (r"(\w+,?)*;", "fullmatch"),
)


@pytest.mark.parametrize(("pattern", "method"), HUNGRY)
def test_a_hungry_pattern_is_found(pattern: str, method: str) -> None:
    assert hunger(Found(re.compile(pattern), method), 12_500)
