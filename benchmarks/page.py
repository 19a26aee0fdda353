"""The page of a long book: how large it is, how fast it is made and opened, what a highlight costs.

    python benchmarks/page.py [--hours 10]

The silent backend speaks made-up sentences; the page is opened in Chromium from its file. Needs
the extra `dev` and a `chromium` on the PATH.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHARACTERS_PER_HOUR = 50_000
OPENED = 5
STEPS = """() => {
    const begin = performance.now();
    let steps = 0;
    follow = false;
    for (let number = 0; number < Math.min(total, 4000); number += 1)
        for (let at = 0; at < wordsOf(number).length / 3; at += 2) { mark(number, at); steps += 1; }
    return 1000 * (performance.now() - begin) / steps;
}"""


def book(hours: float) -> str:
    chance = random.Random(7)
    syllables = [a + b for a in "bdfgklmnprstv" for b in "aeiou"]
    words = ["".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(4_000)]
    lines: list[str] = []
    size = 0
    while size < hours * CHARACTERS_PER_HOUR:
        if len(lines) % 300 == 0:
            lines.append(f"# Chapter {len(lines) // 300 + 1}")
        sentences = (
            " ".join(chance.choices(words, k=chance.randint(6, 22))).capitalize() + "."
            for _ in range(4)
        )
        lines.append(" ".join(sentences))
        size += len(lines[-1])
    return "\n\n".join(lines)


def run(*command: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "tts_book", *command], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=10.0)
    hours = parser.parse_args().hours
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "book.md").write_text(book(hours), "utf-8")
        options = ("--backend", "silent", "--language", "en", "--cache", "cache", "-q")
        run("convert", "book.md", *options, folder=folder)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        run("page", "book", "--cache", "cache", folder=folder)
        cpu_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        page = folder / "book" / "book.html"
        print(f"{hours:g} hours: page of {page.stat().st_size / 1e6:.1f} MB in {cpu_s:.1f} CPU s")
        look_at(page)


def look_at(page: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        reader = browser.new_page()
        opened = []
        for _ in range(OPENED):
            began = time.perf_counter()
            reader.goto(page.as_uri())
            opened.append(time.perf_counter() - began)
        print(f"opened in {sorted(opened)[OPENED // 2]:.2f} s (median of {OPENED})")
        print(f"a highlight step: {reader.evaluate(STEPS):.1f} microseconds")
        browser.close()


if __name__ == "__main__":
    main()
