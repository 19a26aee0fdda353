"""What a run shows on standard error: lines at the foot of a terminal, or a line now and then in
a log or a pipe.

Text from a book is never taken for markup: everything shown goes through `rich.text.Text`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.control import Control
from rich.segment import ControlType, Segment
from rich.style import Style
from rich.text import Text

from tts_book import events
from tts_book.cli.progress import Clock, Progress
from tts_book.events import (
    BookLost,
    BookProgressed,
    ChapterLost,
    ChunkFailed,
    Event,
    Listener,
    describe_event,
)

REFRESH_S = 0.25
# Without a terminal, a line about what is under way comes at least so often.
SILENCE_S = 25.0
MOST_BAR_COLUMNS = 60


def make_console(err: IO[str]) -> Console:
    """A console on standard error; NO_COLOR and TERM are honoured by rich."""
    return Console(file=err, highlight=False, markup=False, emoji=False)


@contextmanager
def tick_every(tick: Callable[[], None], every_s: float) -> Iterator[None]:
    """Calls `tick` again and again in the running event loop."""

    async def tick_on() -> None:
        while True:
            await asyncio.sleep(every_s)
            tick()

    task = asyncio.create_task(tick_on())
    try:
        yield
    finally:
        task.cancel()


class Footer(RenderHook):
    """Lines that stay below everything that is printed on a console.

    rich's own Live forgets that a terminal which becomes narrower wraps what is already there;
    here the rows that it takes now are counted, so that nothing stale stays.
    """

    def __init__(self, console: Console, lines: Callable[[int], list[Text]]) -> None:
        self._console, self._lines = console, lines
        self._drawn: list[int] = []  # columns of each line that is on the terminal now

    def __enter__(self) -> Footer:
        self._console.show_cursor(False)
        self._console.push_render_hook(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._console.pop_render_hook()
        self._console.control(self._erased())
        self._console.show_cursor(True)

    def refresh(self) -> None:
        """Draws the lines as they are now."""
        self._console.print(Control())

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [self._erased(), *renderables, self]

    def _erased(self) -> Control:
        width = self._console.width
        rows = sum(max(1, -(-columns // width)) for columns in self._drawn)
        self._drawn = []
        if not rows:
            return Control()
        up = [(ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)] * (rows - 1)
        return Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *up)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(1, console.width - 1)  # a full line may already count as two
        for number, line in enumerate(self._lines(width)):
            line.truncate(width, overflow="ellipsis")
            self._drawn.append(cell_len(line.plain))
            if number:
                yield Segment.line()
            yield from (part for part in line.render(console) if part.text)


class Display:
    """A listener that shows three lines at the foot of the terminal, and above them whatever is
    worth a line of its own. It leaves no trace."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._describe = EventLines()
        self._footer = Footer(console, self.draw_lines)

    def __call__(self, event: Event) -> None:
        self._progress(event)
        line = self._describe(event)
        if line is not None:
            self._console.print(Text(line), soft_wrap=True)

    @contextmanager
    def shown(self) -> Iterator[Display]:
        """Shows the lines as long as this is entered."""
        with self._footer, tick_every(self.refresh, REFRESH_S):
            yield self

    def refresh(self) -> None:
        """Draws the lines as they are now."""
        self._footer.refresh()

    def draw_lines(self, width: int) -> list[Text]:
        """Where the run is, a bar, and its figures, in so many columns."""
        place = Text(self._progress.describe_place() or "starting", no_wrap=True)
        return [place, draw_bar(self._progress.share, width), Text(self._figures(width))]

    def _figures(self, width: int) -> str:
        """As many of the figures as there is room for; the first, the time left, always."""
        first, *others = self._progress.describe_figures()
        line = first
        for part in others:
            if cell_len(f"{line}, {part}") > width:
                break
            line = f"{line}, {part}"
        return line


def draw_bar(share: float, width: int) -> Text:
    """A bar of characters, which needs no colours."""
    columns = min(width, MOST_BAR_COLUMNS)
    done = round(columns * min(1.0, max(0.0, share)))
    return Text.assemble(
        ("█" * done, Style(color="green")), ("░" * (columns - done), Style(dim=True))
    )


class PlainLines:
    """A listener that writes a line for each chapter, and one about what is under way when it was
    silent for long."""

    def __init__(self, console: Console, progress: Progress, clock: Clock = time.monotonic) -> None:
        self._console, self._progress, self._clock = console, progress, clock
        self._describe = EventLines()
        self._said_s = clock()

    def __call__(self, event: Event) -> None:
        self._progress(event)
        line = self._describe(event)
        if line is not None:
            self._print(line)
        elif isinstance(event, BookProgressed):
            self.tick()

    @contextmanager
    def shown(self) -> Iterator[PlainLines]:
        """Lets time pass as long as this is entered."""
        with tick_every(self.tick, 1.0):
            yield self

    def tick(self) -> None:
        """Says where the run is, if nothing was said for long."""
        if self._progress.started is None or self._clock() - self._said_s < SILENCE_S:
            return
        figures = ", ".join(self._progress.describe_figures())
        place = self._progress.describe_place()
        self._print(f"{place}: {figures}" if place else figures)

    def _print(self, line: str) -> None:
        self._said_s = self._clock()
        self._console.print(Text(line), soft_wrap=True)


class Losses:
    """A listener that says only what is not spoken or written, with its place and the reason."""

    def __init__(self, console: Console) -> None:
        self._console, self._describe = console, EventLines()

    def __call__(self, event: Event) -> None:
        line = self._describe(event)
        if line is not None and isinstance(event, ChunkFailed | ChapterLost | BookLost):
            self._console.print(Text(line), soft_wrap=True)


@contextmanager
def show_download(err: IO[str], name: str) -> Iterator[Callable[[int, int], None]]:
    """Shows how much of a download has come: `listen(done_bytes, all_bytes)`. On a terminal only,
    and from the first byte, so that a question can be asked before."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn
    from rich.progress import Progress as DownloadProgress

    console = make_console(err)
    columns = (TextColumn(name, markup=False), BarColumn(), DownloadColumn())
    bar = DownloadProgress(*columns, console=console, disable=True)
    task = bar.add_task(name, total=None)

    def listen(done_bytes: int, all_bytes: int) -> None:
        if console.is_terminal and bar.disable:
            bar.disable = False
            bar.start()
        bar.update(task, completed=done_bytes, total=all_bytes)

    try:
        yield listen
    finally:
        bar.stop()


def write_json_lines(out: IO[str]) -> Listener:
    """A listener that writes one event a line to `out`, flushed, so that a program can follow."""

    def listen(event: Event) -> None:
        out.write(json.dumps(events.as_dict(event), ensure_ascii=False) + "\n")
        out.flush()

    return listen


class EventLines:
    """Events as plain lines. Chunks that were given up together with the run have no line each:
    their chapter's line says where they are."""

    def __init__(self) -> None:
        self._given_up: dict[tuple[int, int], list[events.ChunkFailed]] = {}

    def __call__(self, event: Event) -> str | None:
        """The line for this event, None for those that say nothing by themselves."""
        match event:
            case events.ChunkFailed(given_up=True):
                self._given_up.setdefault((event.book_id, event.chapter), []).append(event)
                return None
            case events.ChapterLost() | events.VoiceChanged():
                return f"{describe_event(event)}{self._where(event)}"
            case _:
                return describe_event(event)

    def _where(self, event: events.ChapterLost | events.VoiceChanged) -> str:
        here = sorted(
            self._given_up.pop((event.book_id, event.chapter), ()), key=lambda failed: failed.chunk
        )
        rows: list[list[events.ChunkFailed]] = []
        for failed in here:
            if rows and rows[-1][-1].chunk + 1 == failed.chunk:
                rows[-1].append(failed)
            else:
                rows.append([failed])
        return "".join(f"; {_row(row)}" for row in rows)


def _row(row: Sequence[events.ChunkFailed]) -> str:
    first, last = row[0], row[-1]
    if first is last:
        return f"chunk {first.chunk} at {first.place}"
    return f"chunks {first.chunk} to {last.chunk}, from {first.place} to {last.place}"
