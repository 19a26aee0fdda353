"""From a command to the end of the process: its streams, its signals and its exit code.

0 all is well; 1 something is missing; 2 the user can fix it; 130 stopped with Ctrl-C, 143 with
SIGTERM, as service managers and shutdowns do.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NoReturn

from tts_book.cli.log import SILENT, Log, show_log
from tts_book.errors import TtsBookError, UserError
from tts_book.events import quote_command
from tts_book.pipeline.options import Surroundings, find_surroundings, hide_password

INTERRUPTED, TERMINATED = 130, 143
_M_ARENA_MAX = -8  # as <malloc.h> has it


@dataclass(frozen=True, slots=True)
class Terminal(Surroundings):
    """Where and on what the program runs: besides, its streams, the command that the user gave,
    for saying how to go on, and the log."""

    stdin: IO[bytes]
    stdin_is_terminal: bool
    out: IO[str]
    err: IO[str]
    command: str = "tts-book"
    log: Log = SILENT

    def confirm(self, question: str) -> bool:
        """Asks a question on the terminal; everything but "y" and "yes" is a no."""
        self.err.write(question)
        self.err.flush()
        return self.stdin.readline().strip().lower() in (b"y", b"yes")


def open_terminal() -> Terminal:
    """The real surroundings with the streams of this process. Raises UserError."""
    found = find_surroundings()
    return Terminal(
        cwd=found.cwd,
        config_dir=found.config_dir,
        cache_dir=found.cache_dir,
        voices_dir=found.voices_dir,
        environ=found.environ,
        stdin=sys.stdin.buffer,
        stdin_is_terminal=sys.stdin.isatty(),
        out=sys.stdout,
        err=sys.stderr,
        command=quote_command(["tts-book", *hide_passwords(sys.argv[1:])]),
    )


@contextlib.contextmanager
def open_log(at: Terminal, level: str) -> Iterator[Terminal]:
    """The same with a log from this level on, or none for "". Raises UserError for a level that
    there is not."""
    with show_log(at.err, level) as log:
        yield replace(at, log=log)


def hide_passwords(arguments: Sequence[str]) -> Iterator[str]:
    """A command as it may be shown: name and password of a proxy are left out."""
    for before, argument in pairwise(("", *arguments)):
        option, equals, url = argument.rpartition("--proxy=")
        if before == "--proxy" or (equals and not option):
            yield f"{equals}{hide_password(url)}" if "@" in url else argument
        else:
            yield argument


Run = Callable[[Terminal], Coroutine[Any, Any, int]]


def open_streams() -> None:
    """Makes the standard streams take every character; one that was closed leads nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            # Or the next file that is opened, one of a book, would be taken for this stream.
            nowhere = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - open to the end
            setattr(sys, name, nowhere)
        elif mode == "w":
            with contextlib.suppress(AttributeError, ValueError):  # not a file of the system's
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def exit_code(run: Run, *, writes: bool = False, keeps: bool = True) -> int:
    """Runs a command; what the user can fix is one line, never a traceback.

    `writes`: it writes books, so that one whose reader has gone away is not all done; `keeps`:
    what was spoken is there the next time.
    """
    share_heap()
    runner, how_on = asyncio.Runner(), ""
    try:
        here = open_terminal()
        how_on = _how_on(here.command, keeps=keeps) if writes else ""
        with _ctrl_c_stops_tasks():
            code = runner.run(_stoppable(run(here)))
    except KeyboardInterrupt:
        _leave(INTERRUPTED, how_on)
    except asyncio.CancelledError:
        _leave(TERMINATED, how_on)
    except UserError as error:
        code = report_error(str(error), 2)
    except TtsBookError as error:
        code = report_error(str(error), 1)
    except BrokenPipeError:
        code = int(writes)
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        # No file can be called so: a mistake in the command.
        code = report_error(
            f"{what}{error.strerror or error}", 1 + (error.errno == errno.ENAMETOOLONG)
        )
    runner.close()
    return _flushed(code)


def share_heap() -> None:
    """Has all threads of this process use one heap, unless the environment says how many.

    The C library of most Linux systems gives each thread its own, which keeps what was freed in it:
    24 MB of the 153 that a ten-hour M4B took. One heap made nothing slower that could be measured.
    """
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return
    import ctypes

    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):  # others have no such heaps
        library.mallopt(_M_ARENA_MAX, 1)


def _how_on(command: str, *, keeps: bool) -> str:
    return f" What is spoken is kept; go on with: {command}" if keeps else f" Again: {command}"


@contextlib.contextmanager
def _ctrl_c_stops_tasks() -> Iterator[None]:
    """Leaves Ctrl-C to asyncio, which takes it over only where nobody else listens."""
    door = signal.getsignal(signal.SIGINT)
    if not callable(door):  # it is ignored, and stays so
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, door)


async def _stoppable(work: Coroutine[Any, Any, int]) -> int:
    """`work`, stopped by SIGTERM as by Ctrl-C."""
    task = asyncio.current_task()
    if task is not None:
        with contextlib.suppress(NotImplementedError):  # Windows ends processes without asking
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _leave(code: int, how_on: str) -> NoReturn:
    """Ends at once. Threads in the middle of a codec, a plan or a model cannot be asked to stop,
    and nothing is lost by not waiting: every file appears whole or not at all."""
    for stream, words in ((sys.stdout, ""), (sys.stderr, f"Stopped.{how_on}\n")):
        with contextlib.suppress(OSError):
            stream.write(words)
            stream.flush()
    os._exit(code)


def report_error(message: str, code: int) -> int:
    """One line on standard error; gives back the exit code."""
    with contextlib.suppress(OSError):  # nobody reads it
        sys.stderr.write(f"tts-book: {end_sentence(message)}\n")
    return code


# Ends that are there to be copied: a command or an address after a colon, a line of a file.
_TO_COPY = re.compile(r": (?:tts-book|pip|https?:)\S*(?: .*)?$|^(?:tts-book: )?\S+:\d+: ")


def end_sentence(message: str) -> str:
    """A message for the user with a full stop, unless it ends in something to be copied."""
    last = message.rpartition("\n")[2]
    return (
        message if last.endswith((".", "!", "?", "…")) or _TO_COPY.search(last) else f"{message}."
    )


def _flushed(code: int) -> int:
    """Writes out what is left, and lets Python find nothing more to write at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:  # `tts-book plan … | head`: that is the reader's business
            _lead_nowhere(stream.fileno())
        except OSError as error:
            _lead_nowhere(stream.fileno())
            code = code or report_error(f"the output cannot be written: {error.strerror}", 1)
    return code


def _lead_nowhere(handle: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, handle)
    os.close(nowhere)
