"""The page in a real browser (Debian's Chromium), opened from a file as a reader opens it."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import SILENT, Desk
from tests.output.firefox import firefox
from tests.output.test_readalong import HOSTILE, RUSSIAN, STORY, sentences_of
from tts_book.cli.commands.publication import find_books
from tts_book.output.page import write_page
from tts_book.output.readalong import ReadAlong
from tts_book.synthesis.chunk_cache import ChunkCache

pytestmark = pytest.mark.external

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
# A highlight may be this late or early beside the sound.
MOST_OFF_S = 0.1


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(ARGUMENTS)
        )
        yield found
        found.close()


@pytest.fixture
def reader(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1_000, "height": 700})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    yield page
    assert page.errors == []
    page.close()


def expect(locator: Any) -> Any:
    from playwright.sync_api import expect as expected

    return expected(locator)


def written(folder: Path, text: str, language: str = "en") -> tuple[ReadAlong, Path]:
    desk = Desk(folder)
    source = desk.write("story.txt" if text == HOSTILE else "story.md", text)
    request = replace(SILENT, language=language)
    # Playwright keeps an event loop in this thread.
    with ThreadPoolExecutor() as other:
        convert = partial(desk.convert, source, request=request)
        assert other.submit(convert).result() == 0
    (manifest,) = find_books(folder, ChunkCache(folder / "cache"))
    book = ReadAlong(manifest)
    return book, write_page(book, manifest.path.parent / "page.html")


def seek(reader: Any, number: int, seconds: float) -> None:
    """Moves the sound of sentence `number`'s chapter and waits until it is there."""
    reader.evaluate(
        """([number, seconds]) => new Promise((done) => {
            const audio = document.getElementById("audio");
            const go = () => {
              audio.addEventListener("seeked", () => setTimeout(done, 0), {once: true});
              audio.currentTime = seconds;
            };
            jump(number, false);
            if (audio.readyState) go();
            else audio.addEventListener("loadedmetadata", () => setTimeout(go, 0), {once: true});
        })""",
        [number, seconds],
    )


def highlighted(reader: Any) -> tuple[str, str]:
    """The sentence and the word that are marked."""
    sentence = reader.evaluate("document.querySelector('.s.on')?.textContent ?? ''")
    word = reader.evaluate("[...CSS.highlights.get('word')].map((range) => String(range)).join()")
    return sentence, word


@pytest.mark.parametrize(("text", "language"), [(STORY, "en"), (RUSSIAN, "ru")])
def test_the_word_that_is_heard_is_highlighted(
    reader: Any, tmp_path: Path, text: str, language: str
) -> None:
    book, page = written(tmp_path, text, language)
    reader.goto(page.as_uri())
    number = 0
    chance = random.Random(5)
    for chapter in book.chapters():
        for sentence in sentences_of(chapter):
            for word in chance.sample(sentence.words, min(3, len(sentence.words))):
                seek(reader, number, word.start_ms / 1_000 + MOST_OFF_S)
                assert highlighted(reader) == (
                    sentence.text,
                    sentence.text[word.start : word.stop],
                )
            number += 1


def test_a_click_and_the_keyboard_play_from_a_sentence(reader: Any, tmp_path: Path) -> None:
    _, page = written(tmp_path, STORY)
    reader.goto(page.as_uri())
    reader.click("#s2")
    expect(reader.locator(".s.on")).to_have_id("s2")
    expect(reader.locator("#audio")).to_have_js_property("paused", False)
    reader.focus("#s2")
    reader.keyboard.press("ArrowDown")
    reader.keyboard.press("ArrowDown")
    reader.keyboard.press("Enter")
    expect(reader.locator(".s.on")).to_have_id("s4")
    reader.keyboard.press("PageDown")
    assert reader.evaluate("document.activeElement.id") == "s5"
    assert reader.evaluate("document.querySelectorAll('#text [tabindex=\"0\"]').length") == 1


def test_the_place_is_remembered(browser: Any, tmp_path: Path) -> None:
    _, page = written(tmp_path, STORY)
    context = browser.new_context()
    for _ in range(2):
        reader = context.new_page()
        reader.goto(page.as_uri())
        reader.click("#s6")
        expect(reader.locator(".s.on")).to_have_id("s6")
        reader.close()
    reader = context.new_page()
    reader.goto(page.as_uri())
    expect(reader.locator(".s.on")).to_have_id("s6")
    context.close()


def test_search_finds_words_whatever_their_case(reader: Any, tmp_path: Path) -> None:
    _, page = written(tmp_path, STORY)
    reader.goto(page.as_uri())
    reader.fill("#search", "SEVEN boats")
    reader.press("#search", "Enter")
    assert reader.inner_text("#status") == "1 / 1"
    assert reader.evaluate("[...CSS.highlights.get('found')].map(String)") == ["Seven boats"]
    reader.fill("#search", "unicorn")
    reader.press("#search", "Enter")
    assert reader.inner_text("#status") == "Not found"


def test_the_proof_view_copies_commands(reader: Any, tmp_path: Path) -> None:
    _, page = written(tmp_path, STORY)
    reader.goto(page.as_uri())
    reader.click("#proof")
    reader.evaluate("select(6, true)")
    assert reader.inner_text("#about").startswith("story.md:9:1 · 2/")
    for name, part in (("redo", "--redo 2/"), ("where", "tts-book where '002 - Two.mp3' 0:0")):
        reader.click(f"[data-copy={name}]")
        expect(reader.locator("#copied")).to_contain_text(part)


def test_hostile_text_does_nothing(reader: Any, tmp_path: Path) -> None:
    _, page = written(tmp_path, HOSTILE)
    asked: list[str] = []
    reader.on("request", lambda request: asked.append(request.url))
    reader.goto(page.as_uri())
    assert reader.title() == "story"
    assert all(url.startswith("file:") for url in asked)


@pytest.mark.parametrize(("width", "zoom"), [(360, 1), (1_000, 2)])
def test_nothing_is_cut_off_on_narrow_screens(
    reader: Any, tmp_path: Path, width: int, zoom: int
) -> None:
    _, page = written(tmp_path, STORY)
    reader.set_viewport_size({"width": width // zoom, "height": 700 // zoom})
    reader.goto(page.as_uri())
    reader.click("#proof")
    assert reader.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_accessibility_checker_finds_nothing_serious(
    browser: Any, tmp_path: Path, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    _, page = written(tmp_path, STORY)
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    reader = context.new_page()
    reader.goto(page.as_uri())
    reader.click("#proof")
    found = Axe().run(reader).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in serious] == []
    context.close()


def test_firefox_highlights_and_copies(tmp_path: Path) -> None:
    book, page = written(tmp_path, STORY)
    first = next(book.chapters())
    sentence = sentences_of(first)[1]
    word = sentence.words[3]

    async def read() -> tuple[Any, Any]:
        async with firefox(tmp_path / "profile") as reader:
            await reader.open(page.as_uri())
            at_s = word.start_ms / 1_000 + MOST_OFF_S
            heard = await reader.evaluate(
                f"""new Promise((done) => {{
                    const read = () => setTimeout(() => done([
                        document.querySelector(".s.on").textContent,
                        [...CSS.highlights.get("word")].map(String).join()]), 0);
                    const go = () => {{
                        audio.addEventListener("seeked", read, {{once: true}});
                        audio.currentTime = {at_s};
                    }};
                    jump(1, false);
                    if (audio.readyState) go();
                    else audio.addEventListener("loadedmetadata", () => setTimeout(go, 0));
                }})"""
            )
            return heard, await reader.evaluate("copy('text')")

    with ThreadPoolExecutor() as other:
        heard, copied = other.submit(asyncio.run, read()).result()
    assert heard == [sentence.text, sentence.text[word.start : word.stop]]
    assert copied
