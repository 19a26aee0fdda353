"""Options in, an exit code out.

Exit codes: 0 every chapter asked for is written; 1 something is missing; 2 the user can mend it;
130 stopped with Ctrl-C (143: with SIGTERM).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from tts_book import __version__
from tts_book.cli import process as ending
from tts_book.cli.commands import batch as batch_desk
from tts_book.cli.commands import convert as desk
from tts_book.cli.commands import voices as voices_desk
from tts_book.pipeline import environment
from tts_book.pipeline.request import Request, Terminal

app = typer.Typer(
    name="tts-book",
    help="Turn long texts into audiobooks: free voices, no limits, nothing lost on the way.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
voices_app = typer.Typer(
    help="Voices that can be used here and now.", rich_markup_mode=None, no_args_is_help=False
)
app.add_typer(voices_app, name="voices", invoke_without_command=True)

Sources = Annotated[
    list[str], typer.Argument(metavar="SOURCE...", help="Texts to read; - is standard input.")
]
Voice = Annotated[
    str, typer.Option("--voice", help="A name from voices.toml, or a service's own voice id.")
]
VoicesFile = Annotated[
    Path | None, typer.Option("--voices", metavar="FILE", help="A voices.toml to use.")
]
BackendName = Annotated[
    str,
    typer.Option("--backend", help="auto, edge (online), piper, espeak (robotic), silent."),
]
Rate = Annotated[str, typer.Option("--rate", metavar="PCT", help="Faster or slower: -10%.")]
Pitch = Annotated[str, typer.Option("--pitch", metavar="HZ", help="Higher or lower: -8Hz.")]
Volume = Annotated[str, typer.Option("--volume", metavar="PCT", help="Louder or softer: +10%.")]
Language = Annotated[
    str, typer.Option("--language", metavar="CODE", help="What the text is in: ru, en-GB.")
]
Encoding = Annotated[
    str, typer.Option("--encoding", help="The text's encoding, where the guess is wrong.")
]
Title = Annotated[str, typer.Option("--title", help="The book's title.")]
Author = Annotated[str, typer.Option("--author", help="The book's author.")]
Split = Annotated[
    str, typer.Option("--split", help="Chapters by headings, or none: auto, headings, none.")
]
Only = Annotated[
    str, typer.Option("--only", metavar="PARTS", help="Only chapters 3, 2-5 or chunks 3/17.")
]
Redo = Annotated[
    str, typer.Option("--redo", metavar="PARTS", help="Speak chapters or chunks again.")
]
From = Annotated[
    str, typer.Option("--from", metavar="PLACE", help="An excerpt: 3, 3/17, L120, 12:30, words.")
]
To = Annotated[str, typer.Option("--to", metavar="PLACE", help="Where the excerpt ends.")]
Explain = Annotated[bool, typer.Option("--explain", help="Say why each chunk has to be spoken.")]
Chapters = Annotated[
    str, typer.Option("--chapters", metavar="REGEX", help="Chapters begin with lines like this.")
]
Notes = Annotated[
    str, typer.Option("--notes", metavar="MODE", help="Notes: skip, inline (at their mark), end.")
]
Pronounce = Annotated[
    Path | None, typer.Option("--pronounce", metavar="FILE", help="A pronounce.toml to use.")
]
Everything = Annotated[
    bool, typer.Option("--everything", help="Contents lists, notes and licences, too.")
]
Out = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="PATH", help="A folder, or an .mp3 file.")
]
Captions = Annotated[
    str, typer.Option("--captions", metavar="LIST", help="Beside each file: srt, vtt, lrc.")
]
LayoutName = Annotated[
    str, typer.Option("--layout", help="Folders: plain, audiobookshelf (Author/Series/Title).")
]
CoverFile = Annotated[
    Path | None, typer.Option("--cover", metavar="FILE", help="A JPEG or PNG picture, or none.")
]
Series = Annotated[str, typer.Option("--series", metavar="NAME", help='"Name #2".')]
Year = Annotated[str, typer.Option("--year", help="When it was written or published.")]
Format = Annotated[
    str, typer.Option("--format", metavar="LIST", help="mp3, m4b, opus, mp3book; several: mp3,m4b.")
]
Loudness = Annotated[
    str, typer.Option("--loudness", metavar="LUFS", help="-19 unless told otherwise; or off.")
]
Workers = Annotated[
    int, typer.Option("--workers", min=0, help="At most so many requests at once; 0: by itself.")
]
CacheDir = Annotated[
    Path | None, typer.Option("--cache", metavar="DIR", help="Where spoken chunks are kept.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Keep nothing for the next run.")]
Force = Annotated[bool, typer.Option("--force", help="Replace strangers' files, join all anew.")]
Proxy = Annotated[str, typer.Option("--proxy", metavar="URL", help="A proxy for the service.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Ask on, once a minute, when the service is gone.")
]
Json = Annotated[bool, typer.Option("--json", help="One event a line on standard output.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Nothing but errors.")]
LogLevel = Annotated[
    str,
    typer.Option("--log-level", metavar="LEVEL", help="A log: error, warning, info, debug."),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"tts-book {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """Nothing to do here: every command does its own work."""


def _request(
    out: Out = None,
    voice: Voice = "",
    voices: VoicesFile = None,
    backend: BackendName = "auto",
    rate: Rate = "",
    pitch: Pitch = "",
    volume: Volume = "",
    language: Language = "",
    encoding: Encoding = "",
    title: Title = "",
    author: Author = "",
    split: Split = "auto",
    chapters: Chapters = "",
    notes: Notes = "skip",
    everything: Everything = False,
    pronounce: Pronounce = None,
    only: Only = "",
    redo: Redo = "",
    start: From = "",
    stop: To = "",
    explain: Explain = False,
    format: Format = "",
    loudness: Loudness = "",
    captions: Captions = "",
    layout: LayoutName = "plain",
    cover: CoverFile = None,
    series: Series = "",
    year: Year = "",
    workers: Workers = 0,
    cache: CacheDir = None,
    no_cache: NoCache = False,
    force: Force = False,
    proxy: Proxy = "",
    wait: Wait = False,
    json: Json = False,
    quiet: Quiet = False,
    log_level: LogLevel = "",
) -> Request:
    """The options that convert, batch and plan share."""
    return Request(**locals())


def _with_request(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of `_request`; it takes the request as its first argument."""
    shared = inspect.signature(_request, eval_str=True).parameters
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    @wraps(command)
    def run(**given: Any) -> None:
        request = _request(**{name: given.pop(name) for name in shared})
        command(request, **given)

    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*own, *shared.values())]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    del run.__wrapped__  # or its signature would win
    return run


@app.command()
@_with_request
def convert(request: Request, sources: Sources) -> None:
    """Speak texts into MP3 files, a file for each chapter.

    A source with one chapter gives STEM.mp3, one with several a folder STEM/ of numbered files,
    both in this folder or where -o says. Run the same command again after any interruption: what
    is spoken already is not spoken again.
    """
    _convert(lambda here: desk.convert(here, request, _globbed(sources)), request)


@app.command()
@_with_request
def batch(
    request: Request,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of chapters.")],
) -> None:
    """Speak a folder of texts as one album, a track for each file, in natural order.

    Headings inside a file are pauses, unless --split headings makes them tracks of their own.
    A folder of e-books becomes a book each, in folders Author/Title.
    """
    _convert(lambda here: batch_desk.batch(here, request, folder), request)


@app.command()
@_with_request
def plan(
    request: Request,
    sources: Sources,
    chunks: Annotated[
        bool, typer.Option("--chunks", help="Every chunk with its place in the source.")
    ] = False,
    skipped: Annotated[
        bool, typer.Option("--skipped", help="What is left out, with its reason and place.")
    ] = False,
    words: Annotated[
        bool, typer.Option("--words", help="Foreign words and the like, as pronounce.toml.")
    ] = False,
) -> None:
    """Show chapters, chunks, length and voice of what convert would do; speak nothing."""
    if words:
        _finish(lambda here: desk.words(here, request, _globbed(sources)), request.log_level)
    elif skipped:
        _finish(lambda here: desk.skipped(here, request, _globbed(sources)), request.log_level)
    else:
        _finish(lambda here: desk.plan(here, request, _globbed(sources), chunks), request.log_level)


@voices_app.callback()
def voices_root(
    context: typer.Context,
    language: Language = "",
    backend: Annotated[str, typer.Option("--backend", help="Only this backend's.")] = "",
    voices: VoicesFile = None,
    preview: Annotated[
        str, typer.Option("--preview", metavar="NAME", help="Speak a sentence with this voice.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The preview's file.")
    ] = None,
    proxy: Proxy = "",
    json: Json = False,
    log_level: LogLevel = "",
) -> None:
    """List voices from voices.toml, the online service and this machine's engines."""
    if context.invoked_subcommand is not None:
        return
    request = Request(
        voice=preview,
        backend=backend,
        voices=voices,
        language=language,
        out=out,
        proxy=proxy,
        json=json,
    )
    answer = voices_desk.preview if preview else voices_desk.voices
    _finish(lambda here: answer(here, request), log_level)


@voices_app.command("install")
def voices_install(
    name: Annotated[str, typer.Argument(help="A Piper voice: ru_RU-dmitri-medium.")] = "",
    listed: Annotated[
        bool, typer.Option("--list", help="Show what can be installed; fetch nothing.")
    ] = False,
    language: Language = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask about the licence.")] = False,
    proxy: Proxy = "",
) -> None:
    """Fetch a voice for any language, to speak without a network ever after."""
    request = Request(language=language, proxy=proxy)
    _finish(lambda here: voices_desk.install(here, request, "" if listed else name, yes))


@app.command()
def verify(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files or folders that were written.")
    ],
    json: Json = False,
) -> None:
    """Listen to what was written, from end to end: is it whole, and is every word there?

    Tells loudness and peak of each file, and how they stand against what ACX asks for.
    """
    from tts_book.cli.commands.verify import check

    _finish(lambda here: check(here, _globbed(paths), as_json=json))


@app.command()
def doctor(
    voices: VoicesFile = None,
    cache: CacheDir = None,
    proxy: Proxy = "",
    log_level: LogLevel = "",
) -> None:
    """Check this machine line by line, with a mend for all that fails."""
    request = Request(voices=voices, cache=cache, proxy=proxy)
    _finish(lambda here: desk.doctor(here, request), log_level)


@app.command()
def where(
    path: Annotated[Path, typer.Argument(help="An audio file, or a text that was converted.")],
    time: Annotated[str, typer.Argument(help="A time in the audio file: 1:23:45.")] = "",
    line: Annotated[
        int, typer.Option("--line", metavar="N", show_default=False, help="A line of the text.")
    ] = 0,
    text: Annotated[
        str, typer.Option("--text", metavar="WORDS", help="Some words of the text.")
    ] = "",
    out: Out = None,
    folder: CacheDir = None,
    play: Annotated[bool, typer.Option("--play", help="Play it from there.")] = False,
) -> None:
    """Lead from a second of sound to its text, or from a text to where it is heard."""
    from tts_book.cli.commands.where import where as answer

    _finish(
        lambda here: answer(
            here, path, time, line=line, text=text, out=out, cache=folder, play=play
        )
    )


@app.command()
def page(
    place: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="A folder of a written book, or its audio file."),
    ],
    out: Out = None,
    folder: CacheDir = None,
    inline_audio: Annotated[
        bool, typer.Option("--inline-audio", help="Put the audio into the page; up to an hour.")
    ] = False,
    epub: Annotated[
        bool, typer.Option("--epub", help="Write an EPUB with media overlays instead of a page.")
    ] = False,
) -> None:
    """Write a page that reads along: the text beside its audio, for a browser."""
    from tts_book.cli.commands.page import page as write

    _finish(
        lambda here: write(here, place, out=out, cache=folder, inline_audio=inline_audio, epub=epub)
    )


@app.command()
def feed(
    place: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder that your web server offers.")
    ],
    url: Annotated[str, typer.Option("--url", metavar="URL", help="The address of that folder.")],
    title: Annotated[str, typer.Option("--title", help="The feed's title.")] = "",
    folder: CacheDir = None,
) -> None:
    """Write a podcast feed of the books in a folder, an item for each chapter."""
    from tts_book.cli.commands.feed import feed as write

    _finish(lambda here: write(here, place, url, title=title, cache=folder))


@app.command()
def cache(
    prune: Annotated[
        bool, typer.Option("--prune", help="Throw away by --age, --size, or both.")
    ] = False,
    age: Annotated[
        float | None, typer.Option("--age", metavar="DAYS", min=0, help="Unused for so long.")
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", metavar="MB", min=0, help="The most that may stay.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Throw away everything.")] = False,
    folder: CacheDir = None,
) -> None:
    """Show what is kept of spoken books, and throw away what is not needed any more.

    What a running job needs is never thrown away.
    """
    from tts_book.cli.commands import cache as cache_desk

    rule = cache_desk.Pruning(age, size, clear)
    _finish(lambda here: cache_desk.cache(here, folder, rule, prune))


def _globbed(sources: list[str]) -> list[str]:
    """Patterns that the shell left as they are (Windows does) become the files they name."""
    found: list[str] = []
    for source in sources:
        pattern = any(mark in source for mark in "*?[") and not Path(source).exists()
        names = sorted(_glob(source)) if pattern else []
        found += names or [source]
    return found


def _glob(pattern: str) -> list[str]:
    import glob

    return glob.glob(pattern)  # noqa: PTH207 - Path.glob takes no absolute patterns


def _convert(run: ending.Command, request: Request) -> None:
    keeps = not request.no_cache
    raise typer.Exit(ending.exit_code(_logged(run, request.log_level), writes=True, keeps=keeps))


def _finish(run: ending.Command, log_level: str = "") -> None:
    raise typer.Exit(ending.exit_code(_logged(run, log_level)))


def _logged(run: ending.Command, level: str) -> ending.Command:
    async def logged(here: Terminal) -> int:
        with environment.logged(here, level) as there:
            return await run(there)

    return logged


def main() -> None:
    """Runs the command that the process was started with."""
    ending.open_streams()
    app()
