"""The command line: options in, an exit code out.

Exit codes: 0 every chapter asked for is written; 1 something is missing; 2 the user can fix it;
130 stopped with Ctrl-C (143: with SIGTERM).
"""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tts_book import __version__
from tts_book.cli.help import Command, CommandGroup
from tts_book.cli.options import HIDDEN_IN_PLAN, CommandOptions, parse_path, with_options
from tts_book.cli.process import (
    Run,
    Terminal,
    exit_code,
    open_log,
    open_streams,
    report_error,
)
from tts_book.errors import UserError
from tts_book.pipeline.options import FilePath, check_ear

# What typer raises for a mistake in a command line.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="tts-book",
    help="Turn long texts into audiobooks: free voices, no limits, nothing lost on the way.",
    cls=CommandGroup,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
voices_app = typer.Typer(cls=CommandGroup, rich_markup_mode=None, no_args_is_help=False)
ear_app = typer.Typer(cls=CommandGroup, rich_markup_mode=None, no_args_is_help=False)

Sources = Annotated[
    list[str], typer.Argument(metavar="SOURCE...", help="Texts to read; - is standard input.")
]


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"tts-book {__version__}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        sys.stdout.write(f"{context.get_help()}\n")


@app.command(cls=Command)
@with_options()
def convert(options: CommandOptions, sources: Sources) -> None:
    """Speak texts into audio files, one for each chapter.

    A source with one chapter gives STEM.mp3, one with several a folder STEM/ of numbered files,
    both in this folder or where -o says. Run the same command again after any interruption: what
    is spoken already is not spoken again.
    """
    from tts_book.cli.commands.convert import convert

    _convert(lambda here: convert(here, options, _globbed(sources)), options)


@app.command(cls=Command)
@with_options()
def batch(
    options: CommandOptions,
    folder: Annotated[
        Path, typer.Argument(parser=parse_path, metavar="FOLDER", help="A folder of chapters.")
    ],
) -> None:
    """Speak a folder of texts as one audiobook, or a folder of e-books.

    Texts become the tracks of one book, in natural order. Headings inside a file are pauses,
    unless --split headings makes them tracks of their own. E-books become a book each, in
    folders Author/Title.
    """
    from tts_book.cli.commands.convert import batch

    _convert(lambda here: batch(here, options, folder), options)


@app.command(cls=Command)
@with_options(hidden=HIDDEN_IN_PLAN, excluded=frozenset({"cast"}))
def plan(
    options: CommandOptions,
    sources: Sources,
    chunks: Annotated[
        bool, typer.Option("--chunks", help="Every chunk with its place in the source.")
    ] = False,
    skipped: Annotated[
        bool, typer.Option("--skipped", help="What is left out, with its reason and place.")
    ] = False,
    words: Annotated[
        bool, typer.Option("--words", help="Words that voices may say wrong, as pronounce.toml.")
    ] = False,
    speakers: Annotated[
        bool, typer.Option("--cast", help="Who speaks how often, as cast.toml.")
    ] = False,
) -> None:
    """Show what convert (or batch, for a folder) would do, and speak nothing."""
    from tts_book.cli.commands import plan

    def show(here: Terminal) -> Coroutine[Any, Any, int]:
        found = _globbed(sources)
        if words:
            return plan.show_words(here, options, found)
        if speakers:
            return plan.show_speakers(here, options, found)
        if skipped:
            return plan.show_skipped(here, options, found)
        return plan.show_plan(here, options, found, chunks)

    _finish(show, options.log_level)


app.add_typer(voices_app, name="voices", invoke_without_command=True)


@voices_app.callback()
@with_options("language", "voices", "proxy", "json", "log_level")
def voices_root(
    options: CommandOptions,
    context: typer.Context,
    backend: Annotated[str, typer.Option("--backend", help="Only this backend's.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All voices of every service.")] = False,
    preview: Annotated[
        str, typer.Option("--preview", metavar="NAME", help="Speak a sentence with this voice.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", parser=parse_path, metavar="FILE", help="The preview's file."
        ),
    ] = None,
) -> None:
    """List voices, listen to one, or install more."""
    if context.invoked_subcommand is not None:
        return
    from tts_book.cli.commands import voices

    options = replace(options, voice=preview, backend=backend, output=out)
    if preview:
        _finish(lambda here: voices.preview(here, options), options.log_level)
    else:
        _finish(lambda here: voices.list_all(here, options, everything), options.log_level)


@voices_app.command("install", cls=Command)
@with_options("language", "proxy")
def voices_install(
    options: CommandOptions,
    name: Annotated[str, typer.Argument(help="A Piper voice: ru_RU-dmitri-medium.")] = "",
    listed: Annotated[
        bool, typer.Option("--list", help="List what can be installed; download nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask about the licence.")] = False,
) -> None:
    """Download a voice that speaks without a network."""
    from tts_book.cli.commands.voices import install

    _finish(lambda here: install(here, options, "" if listed else name, yes))


@app.command(cls=Command)
@with_options("json", "only", "cache", "ear", "ear_model")
def verify(
    options: CommandOptions,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files or folders that were written.")
    ],
    acx: Annotated[
        bool, typer.Option("--acx", help="Compare the levels with what ACX requires.")
    ] = False,
    sample: Annotated[
        str, typer.Option("--sample", metavar="SHARE", help="With --ear: a part, such as 5%.")
    ] = "",
) -> None:
    """Check written files from end to end: is every word there?

    Reports length, loudness and peak of each file. With --ear a recogniser hears them and lists
    what differs from the text.
    """
    if options.ear:
        from tts_book.cli.commands.ear import hear

        _finish(
            lambda here: hear(
                here,
                _globbed(paths),
                model=options.ear_model,
                sample=sample,
                only=str(options.only),
                cache=_path(options.cache),
                as_json=options.json,
            )
        )
        return
    check_ear(options)
    for name, part in (("sample", sample), ("only", options.only)):
        if part:
            raise UserError(f"--{name} is a part of what --ear hears: add --ear.")
    from tts_book.cli.commands.verify import check

    _finish(lambda here: check(here, _globbed(paths), as_json=options.json, acx=acx))


app.add_typer(ear_app, name="ear", invoke_without_command=True)


@ear_app.callback()
def ear_root(context: typer.Context) -> None:
    """List the recognisers for verify --ear, or install one."""
    if context.invoked_subcommand is None:
        from tts_book.cli.commands.ear import list_models

        _finish(list_models)


@ear_app.command("install", cls=Command)
@with_options("proxy")
def ear_install(
    options: CommandOptions,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="base, small, tiny.en, …")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Download a recogniser after showing its size, source and licence."""
    from tts_book.cli.commands.ear import install

    _finish(lambda here: install(here, model, options.proxy, yes))


@app.command(cls=Command)
@with_options("language", "voices", "cache", "proxy", "log_level")
def doctor(
    options: CommandOptions,
    online: Annotated[
        bool,
        typer.Option("--online", help="Try every step of the online service with a sentence."),
    ] = False,
) -> None:
    """Check this machine, and say how to fix what fails.

    The exit code says whether texts in your language and in English can be spoken now, or in
    those that --language gives: ru,de. With --online, one short sentence goes through every step
    of the online service; the lines may be shown to whoever helps you.
    """
    from tts_book.cli.commands.doctor import doctor

    _finish(lambda here: doctor(here, options, online), options.log_level)


@app.command(cls=Command)
@with_options("workers", "tls", "insecure", "log_level")
def worker(
    options: CommandOptions,
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="The scheduler: tls://HOST:8786.")
    ],
) -> None:
    """Speak for a cluster, until Ctrl-C.

    Speaks as many chunks at once as this machine has cores, or as --workers says, for whoever runs
    convert with --cluster and the same address.
    """
    from tts_book.cli.commands.worker import work

    _finish(lambda here: work(here, options, address), options.log_level)


@app.command(cls=Command)
@with_options("output", "cache")
def where(
    options: CommandOptions,
    path: Annotated[
        Path,
        typer.Argument(
            parser=parse_path,
            metavar="PATH",
            help="An audio file, a text that was converted, or a folder of either.",
        ),
    ],
    time: Annotated[str, typer.Argument(help="A time in the audio file: 1:23:45.")] = "",
    line: Annotated[
        int, typer.Option("--line", metavar="N", show_default=False, help="A line of the text.")
    ] = 0,
    text: Annotated[
        str, typer.Option("--text", metavar="WORDS", help="Some words of the text.")
    ] = "",
    play: Annotated[bool, typer.Option("--play", help="Play it from there.")] = False,
) -> None:
    """Find the text behind a moment of sound, or where a text is heard."""
    from tts_book.cli.commands.where import where

    _finish(
        lambda here: where(
            here,
            path,
            time,
            line=line,
            text=text,
            out=_path(options.output),
            cache=_path(options.cache),
            play=play,
        )
    )


@app.command(cls=Command)
@with_options("output", "cache")
def page(
    options: CommandOptions,
    place: Annotated[
        Path,
        typer.Argument(
            parser=parse_path,
            metavar="FOLDER",
            help="A folder of a written book, or its audio file.",
        ),
    ],
    inline_audio: Annotated[
        bool, typer.Option("--inline-audio", help="Put the audio into the page; up to an hour.")
    ] = False,
    epub: Annotated[
        bool, typer.Option("--epub", help="Write an EPUB with media overlays instead of a page.")
    ] = False,
) -> None:
    """Write a page that reads along: the text beside its audio, for a browser."""
    from tts_book.cli.commands.publication import page

    _finish(
        lambda here: page(
            here,
            place,
            out=_path(options.output),
            cache=_path(options.cache),
            inline_audio=inline_audio,
            epub=epub,
        )
    )


@app.command(cls=Command)
@with_options("cache")
def feed(
    options: CommandOptions,
    place: Annotated[
        Path,
        typer.Argument(
            parser=parse_path, metavar="FOLDER", help="The folder that your web server publishes."
        ),
    ],
    url: Annotated[str, typer.Option("--url", metavar="URL", help="The address of that folder.")],
    title: Annotated[str, typer.Option("--title", help="The feed's title.")] = "",
) -> None:
    """Write a podcast feed of the books in a folder, an item for each chapter."""
    from tts_book.cli.commands.publication import feed

    _finish(lambda here: feed(here, place, url, title=title, cache=_path(options.cache)))


@app.command(cls=Command)
@with_options("cache")
def cache(
    options: CommandOptions,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete by --age, --size, or both.")
    ] = False,
    age: Annotated[
        float | None, typer.Option("--age", metavar="DAYS", min=0, help="Unused for this long.")
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", metavar="MB", min=0, help="The most to keep.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Delete everything.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --clear.")] = False,
) -> None:
    """Show the spoken chunks that are kept, or delete old ones.

    What a running job needs is never deleted.
    """
    from tts_book.cli.commands import cache

    rule = cache.Pruning(age, size, clear)
    _finish(lambda here: cache.cache(here, _path(options.cache), rule, prune, yes=yes))


def _path(given: FilePath | None) -> Path | None:
    return None if given is None else Path(given)


def _globbed(sources: list[str]) -> list[str]:
    """Patterns that the shell left as they are (Windows does) become the files they name."""
    found: list[str] = []
    for source in sources:
        parse_path(source)
        pattern = any(mark in source for mark in "*?[") and not Path(source).exists()
        names = sorted(_glob(source)) if pattern else []
        found += names or [source]
    return found


def _glob(pattern: str) -> list[str]:
    import glob

    return glob.glob(pattern)  # noqa: PTH207 - Path.glob takes no absolute patterns


def _convert(run: Run, options: CommandOptions) -> None:
    keeps = not options.no_cache
    raise typer.Exit(exit_code(_logged(run, options.log_level), writes=True, keeps=keeps))


def _finish(run: Run, log_level: str = "") -> None:
    raise typer.Exit(exit_code(_logged(run, log_level)))


def _logged(run: Run, level: str) -> Run:
    async def logged(here: Terminal) -> int:
        with open_log(here, level) as there:
            return await run(there)

    return logged


def main() -> None:
    """Runs the command that the process was started with."""
    open_streams()
    try:
        code = app(prog_name="tts-book", standalone_mode=False)
    except UserError as error:
        code = report_error(str(error), 2)
    except _UsageError as error:
        code = report_error(_explain(error), 2)
    sys.exit(code)


def _explain(error: Any) -> str:
    """A mistake in a command line, in one line with a way out."""
    message = " ".join(error.format_message().split()).rstrip(".")
    command = error.ctx.command_path if error.ctx else "tts-book"
    return f"{message}. See: {command} --help"
