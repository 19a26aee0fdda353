"""MathML in one line: short formulas can be read so, the others announced."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tts_book.readers.tree_text import Element, attribute, drop_invisibles, name_of, text_of
from tts_book.text.inline_rules import to_subscript, to_superscript

_FLAT = frozenset(
    ("math", "mrow", "mi", "mn", "mo", "mtext", "mstyle", "semantics", "msup", "msub")
)
_HIDDEN = ("annotation", "annotation-xml", "maction", "mphantom")
_DEEPEST = 40
_SHORT = 16  # characters of a formula that is read within its sentence


def write_formula(math: Element) -> str:
    """A formula in one line: `(a + b) / 2`, `x²`, `√(2)`; what its author says where that is words
    rather than TeX."""
    said = attribute(math, "alttext")
    text = said if said and "\\" not in said else _linear(math, 0)
    return drop_invisibles(text)


def is_simple(math: Element) -> bool:
    """Whether a formula is short and in one row, as `x` or `n = 3`: it is read as it stands."""
    length = 0
    if not len(math):
        return False
    for element in math.iter():
        name = name_of(element)
        if name in _HIDDEN:
            return False
        if name and name not in _FLAT:
            return False
        length += len((element.text or "").strip()) + len((element.tail or "").strip())
        if length > _SHORT:
            return False
    return length > 0


def _linear(element: Element, depth: int) -> str:
    name = name_of(element)
    if not name or name in _HIDDEN:
        return ""
    if depth > _DEEPEST:
        return text_of(element)
    parts = [_linear(child, depth + 1) for child in element if name_of(child)]
    if name == "mfrac" and len(parts) == 2:
        return f"{_grouped(parts[0])} / {_grouped(parts[1])}"
    if name in ("msup", "mover") and len(parts) == 2:
        return parts[0] + (to_superscript(parts[1]) or f"^{_grouped(parts[1])}")
    if name in ("msub", "munder") and len(parts) == 2:
        return parts[0] + (to_subscript(parts[1]) or f"_{_grouped(parts[1])}")
    if name in ("msubsup", "munderover") and len(parts) == 3:
        below = to_subscript(parts[1]) or f"_{_grouped(parts[1])}"
        return parts[0] + below + (to_superscript(parts[2]) or f"^{_grouped(parts[2])}")
    if name in ("msqrt", "mroot"):
        return f"√{_grouped(parts[0] if parts else text_of(element))}"
    if name in ("mtr", "mlabeledtr"):
        return ", ".join(parts) + "; "
    return "".join(_with_texts(element, parts))


def _with_texts(element: Element, parts: list[str]) -> Iterator[str]:
    text = (element.text or "").strip()
    yield f" {text} " if name_of(element) == "mo" and text in "=<>≤≥≈+−±→" else text
    at = 0
    for child in element:
        if name_of(child):
            yield parts[at]
            at += 1
        yield (child.tail or "").strip()


def _grouped(text: str) -> str:
    text = text.strip()
    return text if text.isalnum() else f"({text})"


# TeX

_SIGNS = {
    "cdot": "·", "times": "×", "div": "÷", "pm": "±", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥",
    "ne": "≠", "neq": "≠", "approx": "≈", "to": "→", "rightarrow": "→", "infty": "∞", "sum": "∑",
    "int": "∫", "sqrt": "√", "in": "∈", "ldots": "…", "dots": "…", "left": "", "right": "",
    "displaystyle": "", "quad": " ", "qquad": " ", "text": "", "mathrm": "", "mathbf": "",
    "begin": "", "end": "", "label": "",
}  # fmt: skip
_FRACTION = re.compile(r"\\[dt]?frac\s?\{([^{}]{1,200})\}\s?\{([^{}]{1,200})\}")
_HEIGHT = re.compile(r"([\^_])(?:\{([^{}]{1,40})\}|(\d))")
_COMMAND = re.compile(r"\\([A-Za-z]{1,40}|.)", re.S)
_TEXISH = re.compile(r"[\\^_={}<>+]|\A\s*[A-Za-z]\s*\Z")
_PLAIN_TEX = re.compile(r"[^\\^_{}$]{1,16}\Z")
_DEEPEST_FRACTION = 5


def is_tex(content: str) -> bool:
    """Whether what stands between two dollar signs is a formula rather than prices."""
    return _TEXISH.search(content) is not None


def write_tex(content: str) -> str:
    """A formula in one line: `(a) / (b)` for a fraction, its powers raised."""
    text = content
    for _ in range(_DEEPEST_FRACTION):
        text, count = _FRACTION.subn(r"(\1) / (\2)", text)
        if not count:
            break
    text = _HEIGHT.sub(_at_height, text)
    text = _COMMAND.sub(lambda found: _SIGNS.get(found[1], found[1]), text)
    return drop_invisibles(text.replace("{", "").replace("}", "").replace("&", " "))


def is_simple_tex(content: str) -> bool:
    """Whether a formula is short and in one row: it is read as it stands."""
    return _PLAIN_TEX.match(_HEIGHT.sub(_at_height, content).strip()) is not None


def _at_height(found: re.Match[str]) -> str:
    number = found[2] or found[3]
    return (to_superscript if found[1] == "^" else to_subscript)(number) or found[0]
