"""The command that does a thing again: what the user asked for, in words for a shell."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path

from tts_book.pipeline.request import Request

# Options with another name than their wish.
_NAMES = {"out": "-o", "start": "--from", "stop": "--to"}
# What is of one run only, changes nothing of the result, or may hold a password.
_LEFT_OUT = (
    "only", "redo", "explain", "force", "json", "quiet", "workers", "wait", "proxy",
    "log_level",
)  # fmt: skip


def command(request: Request, source: Path, cwd: Path) -> str:
    """The command, given in the folder `cwd`, that converts this source (or folder of texts) alone
    as the request did."""
    words = ["tts-book", "batch" if source.is_dir() else "convert", _short(source, cwd)]
    usual = Request()
    for field in fields(Request):
        value = getattr(request, field.name)
        if field.name in _LEFT_OUT or value == getattr(usual, field.name):
            continue
        words.append(_NAMES.get(field.name) or f"--{field.name.replace('_', '-')}")
        if value is not True:
            words.append(_short(value, cwd) if isinstance(value, Path) else str(value))
    return shlex.join(words)


def _short(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd) if path.is_relative_to(cwd) else path)
