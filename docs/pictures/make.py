"""Makes the pictures of the README: the live display of a real run, and the page of its book.

    python docs/pictures/make.py

Needs the extras `offline` and `dev`, and a Chromium.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from io import StringIO
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

from tts_book.cli import report
from tts_book.cli.commands.convert import foresee_run
from tts_book.cli.display import Display
from tts_book.cli.options import CommandOptions
from tts_book.cli.progress import Progress
from tts_book.events import ChapterDone, ChunkDone, Event
from tts_book.pipeline.job_settings import read_settings
from tts_book.pipeline.options import find_surroundings
from tts_book.pipeline.session import open_conversion
from tts_book.pipeline.source import open_source

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"
COLUMNS = 88
CHAPTERS = 4
# The display is drawn when so many more chunks are spoken after half of the chapters.
CHUNKS_SHOWN = 1
PAGE_WIDTH_PX, PAGE_HEIGHT_PX = 900, 560


class Picture:
    """A listener that draws the display as it is in the middle of a run."""

    def __init__(self, console: Console, progress: Progress, path: Path) -> None:
        self._console, self._path = console, path
        self._display = Display(console, progress)
        self._chapters = self._chunks = 0

    def __call__(self, event: Event) -> None:
        self._display(event)
        self._chapters += isinstance(event, ChapterDone)
        if isinstance(event, ChunkDone) and self._chapters == CHAPTERS // 2:
            self._chunks += 1
            if self._chunks == CHUNKS_SHOWN:
                self._draw()

    def _draw(self) -> None:
        for line in self._display.draw_lines(COLUMNS - 1):
            self._console.print(line)
        drawn = self._console.export_svg(title="tts-book convert lighthouse.md")
        # Without the web font: a picture loads nothing.
        self._path.write_text(re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL), "utf-8")


def write_book(folder: Path) -> Path:
    """A book of chapters that hold the same paragraphs, each in another order."""
    texts = [EXAMPLES / "lighthouse.en.txt", *(EXAMPLES / "three-chapters").glob("*.txt")]
    paragraphs = [
        paragraph
        for text in texts
        for paragraph in text.read_text("utf-8").split("\n\n")
        if len(paragraph) > 100
    ]
    path = folder / "lighthouse.md"
    chapters = (
        [f"## Chapter {number + 1}", *paragraphs[number:], *paragraphs[:number]]
        for number in range(CHAPTERS)
    )
    lines = ["# The Lighthouse", *(line for chapter in chapters for line in chapter)]
    path.write_text("\n\n".join(lines), "utf-8")
    return path


async def convert(source: Path, shown: Callable[[str], None], console: Console) -> Path:
    """Speaks the book with the offline voice, drawn as it goes; the path of its page."""
    at = replace(find_surroundings(), cwd=source.parent)
    options = CommandOptions(backend="piper", format="mp3,page", no_cache=True)
    settings = read_settings(at, options)
    async with open_conversion(settings) as conversion:
        jobs = await conversion.prepare(open_source(settings, source).parse()[:1])
        for line in report.describe_voices(jobs):
            shown(line)
        progress = Progress(outlook=foresee_run(jobs))
        picture = Picture(console, progress, HERE / "display.svg")
        result = await conversion.carry_out(jobs, nullcontext(picture))
    return next(path for path in result.written if path.suffix == ".html")


def draw_page(page: Path, path: Path) -> None:
    """Takes a picture of the page while a sentence is heard."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        window = browser.new_page(viewport={"width": PAGE_WIDTH_PX, "height": PAGE_HEIGHT_PX})
        window.goto(page.as_uri())
        window.click("#s3")
        window.wait_for_function("document.getElementById('audio').currentTime > 1")
        window.screenshot(path=path)
        browser.close()


def main() -> None:
    console = Console(
        record=True, file=StringIO(), width=COLUMNS, force_terminal=True, highlight=False
    )
    console.print("$ tts-book convert --format mp3,page lighthouse.md", style="bold")
    with tempfile.TemporaryDirectory() as folder:
        source = write_book(Path(folder))
        page = asyncio.run(convert(source, lambda line: console.print(Text(line)), console))
        draw_page(page, HERE / "page.png")


if __name__ == "__main__":
    main()
