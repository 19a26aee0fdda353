"""What a recogniser found in a book, kept beside its manifest for those who look at the book.

Findings hold for a file as it was heard: once the file has changed, they say nothing any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tts_book.output.manifest import NAME, read_file_states
from tts_book.synthesis import atomic

_EAR = "tts-book.ear.json"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said about a chunk of a file: one-line reasons, none where all is well."""

    file: str
    chapter: int
    chunk: int
    reasons: tuple[str, ...]


def findings_path(manifest: Path) -> Path:
    """Where the findings of a book are kept."""
    return manifest.with_name(f"{manifest.name.removesuffix(NAME)}{_EAR}")


def read_findings(manifest: Path) -> Mapping[tuple[int, int], tuple[str, ...]]:
    """Reasons by chapter and chunk, of the files that are still as they were heard."""
    return {(each.chapter, each.chunk): each.reasons for each in _read(manifest) if each.reasons}


def write_findings(manifest: Path, heard: Sequence[Finding]) -> None:
    """Keeps what was heard; earlier findings about other chunks stay. Raises UserError."""
    now = {(each.chapter, each.chunk): each for each in (*_read(manifest), *heard)}
    kept = [each for each in now.values() if each.reasons]
    folder = manifest.parent
    names = sorted({each.file for each in kept})
    states = read_file_states([folder / name for name in names if (folder / name).exists()])
    value = {
        "files": {Path(path).name: state for path, state in states.items()},
        "findings": [[each.file, each.chapter, each.chunk, *each.reasons] for each in kept],
    }
    path = findings_path(manifest)
    if not kept and not path.exists():
        return
    with atomic.replace_file(path) as part:
        part.write_text(json.dumps(value, ensure_ascii=False, indent=1), "utf-8")


def _read(manifest: Path) -> list[Finding]:
    try:
        value: Any = json.loads(findings_path(manifest).read_text("utf-8"))
        found = [
            Finding(str(file), int(chapter), int(chunk), tuple(map(str, reasons)))
            for file, chapter, chunk, *reasons in value["findings"]
        ]
        files = dict(value["files"])
    except (OSError, ValueError, TypeError, KeyError):
        return []
    return [each for each in found if _is_unchanged(manifest.parent / each.file, files)]


def _is_unchanged(path: Path, files: Mapping[str, object]) -> bool:
    try:
        (state,) = read_file_states([path]).values()
    except OSError:
        return False
    return files.get(path.name) == state
