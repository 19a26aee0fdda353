"""A command given again: books that are finished just like this are left alone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tts_book.config.voices import Config
from tts_book.output.manifest import manifests_for_stem
from tts_book.output.unchanged import find_finished_files, fingerprint_request
from tts_book.pipeline.request import Request, Terminal

# Options that change nothing of the result.
_INDIFFERENT = (
    "workers", "cache", "no_cache", "force", "proxy", "wait", "json", "quiet", "explain",
    "log_level",
)  # fmt: skip
PRONUNCIATIONS = "pronounce.toml"


def fingerprint_options(at: Terminal, request: Request, config: Config, source: Path) -> str:
    """The fingerprint of a source and all wishes for it, "" where a part only is asked for, and
    where a file cannot be read: who needs that file tells of it."""
    if request.only or request.redo or request.start or request.stop:
        return ""
    with suppress(OSError):
        return _fingerprint(at, request, config, source)
    return ""


def _fingerprint(at: Terminal, request: Request, config: Config, source: Path) -> str:
    texts = sorted(source.iterdir()) if source.is_dir() else [source]
    places = (source if source.is_dir() else source.parent, at.cwd, at.config_dir)
    usual = Request()
    wishes = replace(request, **{name: getattr(usual, name) for name in _INDIFFERENT})
    lists = [request.pronounce] if request.pronounce else [p / PRONUNCIATIONS for p in places]
    covers = [request.cover] if request.cover else []
    return fingerprint_request([*texts, *lists, *covers], (wishes, config))


def report_finished(
    at: Terminal, request: Request, config: Config, source: Path, told: str
) -> bool:
    """Whether nothing has changed since a whole run; its files are told then."""
    if request.force or request.json or request.explain or not _is_there(source):
        return False
    fingerprint = fingerprint_options(at, request, config, source)
    stem = source.resolve().name if source.is_dir() else source.stem
    for record in manifests_for_stem(request.out, at.cwd, stem) if fingerprint else ():
        if files := find_finished_files(record, fingerprint):
            at.out.writelines(f"{file}\n" for file in files)
            if not request.quiet:
                at.err.write(f"{told}: nothing has changed, {len(files)} files are there\n")
            return True
    return False


def _is_there(source: Path) -> bool:
    with suppress(OSError):
        return source.exists()
    return False
