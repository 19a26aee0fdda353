"""The Python interface: what `tts_book` offers to other programs.

It does what the command line does and leaves the process alone: it prints nothing, sets no signal
handlers of its own, never exits and reads no arguments. As the command line does, it looks for
voices.toml and pronounce.toml in the working directory and the user's config folder (the options
`voices` and `pronounce` name other files), and keeps spoken chunks in the user's cache folder
(`cache` names another); `surroundings` stand for all such places and the environment. Messages
name options as the command line writes them.

`read` may be called anywhere. `plan` and `convert` wait for the end, so they may be called in any
thread without a running event loop, in several at once, too; `aplan` and `aconvert` are their
counterparts for programs that have a loop. A listener is called in the thread that converts.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from tts_book import readers
from tts_book.errors import UserError
from tts_book.events import Event, Listener, join_listeners, log_event
from tts_book.model import Book
from tts_book.pipeline.job_settings import parse_reading_options, read_settings
from tts_book.pipeline.options import (
    Options,
    ReadingOptions,
    Surroundings,
    find_surroundings,
    given_options,
    make_options,
    resolve_paths,
)
from tts_book.pipeline.plan_view import BookPlan, view_plan
from tts_book.pipeline.run import Result
from tts_book.pipeline.session import Conversion, open_conversion
from tts_book.pipeline.source import BookRequest, make_request
from tts_book.synthesis.rate_limiter import Tools

Source = str | PathLike[str] | bytes
_PATH_MOST_CHARACTERS = 4_096

_P = ParamSpec("_P")
_Given = TypeVar("_Given", bound=ReadingOptions)
_Of = TypeVar("_Of")
_Gives = TypeVar("_Gives")


@dataclass(frozen=True, kw_only=True)
class _ReadCall(ReadingOptions):
    surroundings: Surroundings | None = None


@dataclass(frozen=True, kw_only=True)
class _PlanCall(Options):
    surroundings: Surroundings | None = None


@dataclass(frozen=True, kw_only=True)
class _ConvertCall(_PlanCall):
    listener: Listener | None = None
    tools: Tools | None = None


def _take_options(
    call: Callable[_P, _Given],
) -> Callable[[Callable[[_Of, _Given], _Gives]], Callable[Concatenate[_Of, _P], _Gives]]:
    """Gives a function of a source and a call the fields of that call as keyword arguments."""

    def decorate(
        function: Callable[[_Of, _Given], _Gives],
    ) -> Callable[Concatenate[_Of, _P], _Gives]:
        @functools.wraps(function)
        def take(source: _Of, /, *args: _P.args, **given: _P.kwargs) -> _Gives:
            return function(source, make_options(call, given))  # type: ignore[arg-type]  # call is a class

        parameters = [next(iter(inspect.signature(function).parameters.values()))]
        parameters += inspect.signature(call).parameters.values()
        take.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what help() shows
        return take

    return decorate


@_take_options(_ReadCall)
def read(source: Source, call: _ReadCall) -> Book:
    """The book in a file of any kind that the program reads, in a folder of texts (a chapter
    each), or in the bytes of such a file. The other arguments are those of `ReadingOptions`.

    Raises UserError where it cannot be read whole, says nothing, or is in no language that can
    be detected.
    """
    return _read_source(call.surroundings or find_surroundings(), call, source)


@_take_options(_PlanCall)
def plan(source: Source | Book, call: _PlanCall) -> BookPlan:
    """What `convert` would do with the same arguments; speaks and writes nothing.

    Raises UserError, and EngineGone where a book is half spoken by a voice that cannot go on;
    RuntimeError inside a running event loop.
    """
    _refuse_running_loop("plan")
    return asyncio.run(_plan_source(source, call))


@_take_options(_PlanCall)
async def aplan(source: Source | Book, call: _PlanCall) -> BookPlan:
    """`plan` for programs with an event loop, which goes on meanwhile."""
    return await _plan_source(source, call)


async def _plan_source(source: Source | Book, call: _PlanCall) -> BookPlan:
    async with _open_source(source, call) as (conversion, request):
        (job,) = await conversion.prepare([request], patient=True)
        return await asyncio.to_thread(view_plan, job, conversion.cache)


@_take_options(_ConvertCall)
def convert(source: Source | Book, call: _ConvertCall) -> Result:
    """Speaks a book and writes its files; what is spoken already is not spoken again. The other
    arguments are those of `Options`.

    `listener` gets every event as it happens, in this thread: keep it short. An exception that it
    raises ends the run and comes out here. `tools` are clock, sleep and chance.

    A chapter that cannot be spoken whole is not written, and no error: the result's `lost` and
    `books_lost` say what is missing, and the same call speaks only that. Ctrl-C interrupts it as it
    does any program, and keeps all that is spoken.

    Raises UserError for what the user can fix, EngineGone where a book is half spoken by a voice
    that cannot go on, and RuntimeError inside a running event loop.
    """
    _refuse_running_loop("convert")
    return asyncio.run(_convert_source(source, call))


@_take_options(_ConvertCall)
async def aconvert(source: Source | Book, call: _ConvertCall) -> Result:
    """`convert` for programs with an event loop, which goes on meanwhile; the listener is called
    in the loop. A task that is cancelled keeps all that is spoken, and leaves no file unfinished.
    """
    return await _convert_source(source, call)


async def _convert_source(source: Source | Book, call: _ConvertCall) -> Result:
    async with _open_source(source, call) as (conversion, request):
        jobs, guard = await conversion.prepare([request]), _ListenerGuard(call.listener)
        listening = contextlib.nullcontext(join_listeners(log_event, guard))
        try:
            return await conversion.carry_out(jobs, listening, call.tools)
        except ExceptionGroup:
            if guard.raised is not None:
                raise guard.raised from None
            raise


class _ListenerGuard:
    """Passes all events to a listener, until it raises an exception, which is kept."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self.raised: BaseException | None = None

    def __call__(self, event: Event) -> None:
        if self._listener is None or self.raised is not None:
            return
        try:
            self._listener(event)
        except BaseException as error:  # Ctrl-C as well: it comes out of the call as it is
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
    source: Source | Book, call: _PlanCall
) -> AsyncIterator[tuple[Conversion, BookRequest]]:
    """The conversion that was asked for and its book."""
    at = call.surroundings or find_surroundings()
    settings = read_settings(at, resolve_paths(call, at))
    if isinstance(source, Book):
        _refuse_reading_options(call)
        book = source
    else:
        book = await asyncio.to_thread(_read_source, at, call, source)
    request = await asyncio.to_thread(make_request, settings, book, book.path, _file_stem(book))
    async with open_conversion(settings) as conversion:
        yield conversion, request


def _read_source(at: Surroundings, options: ReadingOptions, source: Source) -> Book:
    reading = parse_reading_options(options)
    if isinstance(source, bytes):
        return readers.read_bytes(source, "text", reading)
    if isinstance(source, str) and ("\n" in source or len(source) > _PATH_MOST_CHARACTERS):
        beginning = " ".join(source[:40].split())
        raise UserError(f"“{beginning}…” is not a path: give a text itself as bytes, text.encode()")
    path = at.resolve_path(source)
    book = _read_folder(path, reading) if _is_folder(path) else readers.read(path, reading)
    return replace(book, path=path.absolute())


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # the reader reports a file that cannot even be asked for
        return False


def _read_folder(path: Path, options: readers.ReadOptions) -> Book:
    """All texts of a folder. Raises UserError if one of them cannot be read."""
    found = readers.read_folder(path, options)
    for unread, reason in found.unread:
        raise UserError(f"{unread}: {reason}")
    return found.book


def _file_stem(book: Book) -> str:
    """What the book's files are called after."""
    if book.path is None:
        return book.title
    return book.path.resolve().name if _is_folder(book.path) else book.path.stem


def _refuse_reading_options(call: Options) -> None:
    reading = {each.name for each in fields(ReadingOptions)}
    late = sorted(each.name for each, _ in given_options(call) if each.name in reading)
    if late:
        raise TypeError(
            f"This book is read already: give {', '.join(late)} to tts_book.read, or change the "
            "book with dataclasses.replace."
        )
