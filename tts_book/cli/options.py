"""The options of the commands: the fields of `Options`, and those that only a terminal has; and
what a shell offers for their values when the user presses Tab."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import Field, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from tts_book.errors import UserError
from tts_book.pipeline.options import Options, Panel, is_path, option, option_info


@dataclass(frozen=True, kw_only=True)
class CommandOptions(Options):
    """The options of a conversion, and how the command line reports it."""

    explain: bool = option(
        False,
        "Say why each chunk has to be spoken.",
        Panel.RUN,
        repeats=False,
        changes_files=False,
    )
    clean: bool = option(
        False,
        "Delete files of earlier runs that no longer belong to any chapter.",
        Panel.OUTPUT,
        repeats=False,
        changes_files=False,
    )
    strict: bool = option(
        False,
        "Exit with code 1 if a chunk is in doubt.",
        Panel.RUN,
        repeats=False,
        changes_files=False,
    )
    json: bool = option(
        False,
        "JSON lines on standard output: events or results.",
        Panel.RUN,
        repeats=False,
        changes_files=False,
    )
    quiet: bool = option(
        False,
        "Nothing but errors.",
        Panel.RUN,
        flags=("-q", "--quiet"),
        repeats=False,
        changes_files=False,
    )
    log_level: str = option(
        "",
        "A log: error, warning, info, debug.",
        Panel.RUN,
        metavar="LEVEL",
        repeats=False,
        changes_files=False,
    )


# What `plan` takes all the same, so that a command need not be shortened to be looked at.
HIDDEN_IN_PLAN = frozenset(
    (
        "redo",
        "loudness",
        "captions",
        "cover",
        "year",
        "workers",
        "cluster",
        "tls",
        "insecure",
        "force",
        "wait",
        "quiet",
        "clean",
    )
)


def parse_path(text: str) -> Path:
    """A path of the command line. Raises UserError for an empty one, as `"$unset"` in a shell: it
    would be the current folder."""
    if not text.strip():
        raise UserError("The name of a file or a folder is empty: write it, or . for this folder.")
    return Path(text)


def _declare_option(field: Field[Any], hidden: bool) -> inspect.Parameter:
    """A field as an option that typer takes: its type and default with flags and help."""
    info = option_info(field)
    kind = Path | None if is_path(field) else type(field.default)
    option = typer.Option(
        *(info.flags or (f"--{field.name.replace('_', '-')}",)),
        metavar=None if kind is bool else info.metavar or None,
        min=0 if kind is int else None,
        help=info.help,
        show_default=bool(field.default),
        parser=parse_path if is_path(field) else None,
        autocompletion=find_completer(field.name, info.choices),
        rich_help_panel=info.panel.value,
        hidden=hidden,
    )
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=field.default,
        annotation=Annotated[kind, option],
    )


def with_options(
    *names: str, hidden: Collection[str] = (), excluded: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the named fields of `CommandOptions` as options, all of them without names;
    it takes them as its first argument. The `hidden` ones are understood, but not shown; the
    `excluded` ones are not its own."""
    wanted = [
        field
        for field in fields(CommandOptions)
        if (not names or field.name in names) and field.name not in excluded
    ]
    panels = list(Panel)
    wanted.sort(key=lambda field: panels.index(option_info(field).panel))
    shared = [_declare_option(field, field.name in hidden) for field in wanted]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

        @wraps(command)
        def run(**given: Any) -> None:
            options = CommandOptions(**{each.name: given.pop(each.name) for each in shared})
            command(options, **given)

        parameters = [each.replace(kind=each.KEYWORD_ONLY) for each in (*own, *shared)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        del run.__wrapped__  # or its signature would win
        return run

    return decorate


Completer = Callable[[str], list[str]]


def find_completer(option: str, choices: Sequence[str]) -> Completer | None:
    """What completes the value of an option, None where that is for the user to know."""
    words = _WORDS.get(option)
    if option in _LISTS:
        return _list_completer(_LISTS[option])
    if choices:
        return _completer(lambda: choices)
    return None if words is None else _completer(words)


def _completer(words: Callable[[], Iterable[str]]) -> Completer:
    def complete(incomplete: str) -> list[str]:
        return [word for word in words() if word.startswith(incomplete)]

    return complete


def _list_completer(words: Callable[[], Iterable[str]]) -> Completer:
    """Completes the last word of a list such as mp3,m4b."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        given = before.split(",")
        found = (word for word in words() if word.startswith(last) and word not in given)
        return [f"{before}{comma}{word}" for word in found]

    return complete


def _voices() -> Iterable[str]:
    from tts_book.config.voices import load_voices
    from tts_book.pipeline.options import find_surroundings

    try:
        at = find_surroundings()
        return load_voices(None, cwd=at.cwd, config_dir=at.config_dir).voices
    except UserError:  # it is reported when the command is run
        return load_voices(None, cwd=Path(), config_dir=Path()).voices


def _backends() -> Iterable[str]:
    from tts_book import backends

    return ("auto", *backends.names())


def _languages() -> Iterable[str]:
    from tts_book.text.language_tags import LANGUAGE_NAMES

    return LANGUAGE_NAMES


def _formats() -> Iterable[str]:
    from tts_book.output.paths import CHAPTERS, WHOLE

    return (CHAPTERS, *WHOLE)


def _captions() -> Iterable[str]:
    from tts_book.output.captions import FORMATS

    return FORMATS


def _levels() -> Iterable[str]:
    from tts_book.cli.log import LEVELS

    return LEVELS


_WORDS: dict[str, Callable[[], Iterable[str]]] = {
    "voice": _voices,
    "backend": _backends,
    "language": _languages,
    "log_level": _levels,
}
_LISTS: dict[str, Callable[[], Iterable[str]]] = {"format": _formats, "captions": _captions}
