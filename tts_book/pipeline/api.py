"""The library: what `tts_book` gives to other programs.

It goes the way of the command line and leaves the process alone: it prints nothing, sets no signal
handlers of its own, never exits and reads no arguments. As the command line does, it looks for
voices.toml and pronounce.toml in the working directory and the user's config folder (the options
`voices` and `pronounce` name other files), and keeps spoken chunks in the user's cache folder
(`cache` names another); `surroundings` stand for all such places and the environment. Messages
name options as the command line writes them.

`read` may be called anywhere. `plan` and `convert` wait for the end, so they may be called in any
thread without a running event loop, in several at once, too; `aplan` and `aconvert` are their
twins for programs that have a loop. A listener is called in the thread that converts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from tts_book import readers
from tts_book.cli import log as logs
from tts_book.errors import UserError
from tts_book.events import join_listeners
from tts_book.model import Book
from tts_book.pipeline import session
from tts_book.pipeline.environment import find_surroundings
from tts_book.pipeline.options import Options, ReadingOptions, own_backends, request_of
from tts_book.pipeline.plan_view import BookPlan, view_plan
from tts_book.pipeline.session import Conversion

if TYPE_CHECKING:
    from tts_book.events import Event, Listener
    from tts_book.pipeline.planning import BookRequest
    from tts_book.pipeline.request import Request, Surroundings
    from tts_book.pipeline.run import Result
    from tts_book.synthesis.pool import Tools

Source = str | PathLike[str] | bytes
_PATH_MOST_CHARACTERS = 4_096


def read(
    source: Source, *, surroundings: Surroundings | None = None, **options: Unpack[ReadingOptions]
) -> Book:
    """The book in a file of any kind that the program reads, in a folder of texts (a chapter
    each), or in the bytes of such a file.

    Raises UserError where it cannot be read whole, says nothing, or is in no language that can be
    told.
    """
    at = surroundings or find_surroundings()
    return _read(at, request_of(options, at, ReadingOptions.__optional_keys__), source)


def plan(
    source: Source | Book, *, surroundings: Surroundings | None = None, **options: Unpack[Options]
) -> BookPlan:
    """What `convert` would do with the same arguments; speaks and writes nothing.

    Raises UserError, and EngineGone where a book is half spoken by a voice that cannot go on;
    RuntimeError inside a running event loop.
    """
    _refuse_running_loop("plan")
    return asyncio.run(aplan(source, surroundings=surroundings, **options))


async def aplan(
    source: Source | Book, *, surroundings: Surroundings | None = None, **options: Unpack[Options]
) -> BookPlan:
    """`plan` for programs with an event loop, which goes on meanwhile."""
    async with _open_source(source, surroundings, options) as (opened, work):
        (prepared,) = await opened.prepare([work], patient=True)
        return await asyncio.to_thread(view_plan, prepared, opened.cache)


def convert(
    source: Source | Book,
    *,
    listener: Listener | None = None,
    tools: Tools | None = None,
    surroundings: Surroundings | None = None,
    **options: Unpack[Options],
) -> Result:
    """Speaks a book and writes its files; what is spoken already is not spoken again.

    `listener` is told every event as it happens, in this thread: keep it short. An exception that
    it raises ends the run and comes out here. `tools` are clock, sleep and chance.

    A chapter that cannot be spoken whole is not written, and no error: the result's `lost` and
    `books_lost` say what is missing, and the same call speaks only that. Ctrl-C interrupts it as it
    does any program, and keeps all that is spoken.

    Raises UserError for what can be mended, EngineGone where a book is half spoken by a voice that
    cannot go on, and RuntimeError inside a running event loop.
    """
    _refuse_running_loop("convert")
    return asyncio.run(
        aconvert(source, listener=listener, tools=tools, surroundings=surroundings, **options)
    )


async def aconvert(
    source: Source | Book,
    *,
    listener: Listener | None = None,
    tools: Tools | None = None,
    surroundings: Surroundings | None = None,
    **options: Unpack[Options],
) -> Result:
    """`convert` for programs with an event loop, which goes on meanwhile; the listener is called
    in the loop. A task that is cancelled keeps all that is spoken, and leaves no file unfinished.
    """
    async with _open_source(source, surroundings, options) as (opened, work):
        prepared, telling = await opened.prepare([work]), _ListenerGuard(listener)
        listening = contextlib.nullcontext(join_listeners(logs.event, telling))
        try:
            return await opened.carry_out(prepared, listening, tools)
        except ExceptionGroup:
            if telling.raised is not None:
                raise telling.raised from None
            raise


class _ListenerGuard:
    """Tells a listener all events, until it raises an exception, which is kept."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self.raised: BaseException | None = None

    def __call__(self, event: Event) -> None:
        if self._listener is None or self.raised is not None:
            return
        try:
            self._listener(event)
        except BaseException as error:
            self.raised = error
            raise


def _refuse_running_loop(name: str) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(f"An event loop is running here: await tts_book.a{name}(...) instead.")


@contextlib.asynccontextmanager
async def _open_source(
    source: Source | Book, surroundings: Surroundings | None, options: Options
) -> AsyncIterator[tuple[Conversion, BookRequest]]:
    """The conversion that was asked for and its book."""
    at = surroundings or find_surroundings()
    request = request_of(options, at)
    work = await asyncio.to_thread(_work, at, request, source, options)
    async with session.open_conversion(at, request, own_backends(options)) as opened:
        yield opened, work


def _read(at: Surroundings, request: Request, source: Source) -> Book:
    options = session.read_options(request)
    if isinstance(source, bytes):
        return readers.read_bytes(source, "text", options)
    if isinstance(source, str) and ("\n" in source or len(source) > _PATH_MOST_CHARACTERS):
        beginning = " ".join(source[:40].split())
        raise UserError(f"“{beginning}…” is no path: give a text itself as bytes, text.encode()")
    path = session.resolve_path(at, Path(source))
    book = _album(path, options) if _is_folder(path) else readers.read(path, options)
    return replace(book, path=path.absolute())


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a file that cannot even be asked for is told by the reader
        return False


def _album(path: Path, options: readers.ReadOptions) -> Book:
    """All texts of a folder. Raises UserError if one of them cannot be read."""
    found = readers.read_folder(path, options)
    for unread, reason in found.unread:
        raise UserError(f"{unread}: {reason}")
    return found.book


def _work(
    at: Surroundings, request: Request, source: Source | Book, options: Mapping[str, Any]
) -> BookRequest:
    if isinstance(source, Book):
        _refuse_reading_options(options)
        book = source
    else:
        book = _read(at, request, source)
    return session.make_book_request(at, request, book, book.path, _stem(book))


def _stem(book: Book) -> str:
    """What the book's files are called after."""
    if book.path is None:
        return book.title
    return book.path.resolve().name if _is_folder(book.path) else book.path.stem


def _refuse_reading_options(options: Mapping[str, Any]) -> None:
    late = sorted(options.keys() & ReadingOptions.__optional_keys__)
    if late:
        raise TypeError(
            f"This book is read already: give {', '.join(late)} to tts_book.read, or change the "
            "book with dataclasses.replace."
        )
