"""The podcast feed: what players read, and which items stay the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.cli.test_commands import SILENT, Desk
from tests.output.test_readalong import HOSTILE, STORY
from tts_book.cli.commands.publication import feed
from tts_book.errors import UserError

URL = "https://example.org/my books/"
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LATER = datetime(2026, 12, 24, 12, tzinfo=UTC)
NAMES = {
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "podcast": "https://podcastindex.org/namespace/1.0",
}
THIRD = "# Between\n\nA third chapter came later.\n\n"


def convert(at: Desk, text: str, name: str = "story.md", **options: Any) -> None:
    source = at.write(name, text)
    assert at.convert(source, request=replace(SILENT, language="en", **options)) == 0


def feed_of(at: Desk, now: datetime = NOW, title: str = "") -> Any:
    url = URL.replace(" ", "%20")
    assert at.run(feed(at.here(), at.folder, url, title=title, cache=None, now=now)) == 0
    (path,) = at.written()
    return etree.parse(path).getroot()


def values(root: Any, path: str) -> list[str]:
    return [str(found) for found in root.xpath(path, namespaces=NAMES)]


def test_an_item_for_each_chapter_with_all_that_players_show(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    convert(at, STORY)
    root = feed_of(at)
    assert values(root, "//item/title/text()") == ["One", "Two"]
    assert values(root, "//item/itunes:episode/text()") == ["1", "2"]
    files = sorted((tmp_path / "story").glob("*.mp3"))
    assert values(root, "//enclosure/@length") == [str(file.stat().st_size) for file in files]
    assert values(root, "//enclosure/@url")[0] == (
        "https://example.org/my%20books/story/001%20-%20One.mp3"
    )
    assert set(values(root, "//enclosure/@type")) == {"audio/mpeg"}
    assert all(int(text) > 0 for text in values(root, "//itunes:duration/text()"))
    for url in values(root, "//podcast:transcript/@url"):
        name = url.rpartition("/")[2].replace("%20", " ")
        assert (tmp_path / "story" / name).read_text("utf-8").startswith("WEBVTT")


def test_captions_that_are_there_are_the_transcript(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    convert(at, STORY, captions="vtt")
    urls = values(feed_of(at), "//podcast:transcript/@url")
    assert [url.rpartition("/")[2] for url in urls] == ["001%20-%20One.vtt", "002%20-%20Two.vtt"]


def test_headings_inside_a_chapter_are_its_marks(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    convert(at, STORY, split="none")
    (url,) = values(feed_of(at), "//podcast:chapters/@url")
    name = url.rpartition("/")[2]
    marks = json.loads((tmp_path / name).read_text("utf-8"))["chapters"]
    assert [mark["title"] for mark in marks] == ["One", "Two"]
    assert marks[0]["startTime"] < marks[1]["startTime"]


def test_a_later_run_keeps_the_items_and_adds_the_new(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    convert(at, STORY)
    before = feed_of(at)
    convert(at, STORY.replace("# Two", THIRD + "# Two"))
    after = feed_of(at, LATER)
    assert values(after, "//item/title/text()") == ["One", "Between", "Two"]
    old = values(before, "//guid/text()")
    new = values(after, "//guid/text()")
    assert [new[0], new[2]] == old
    dates = values(after, "//pubDate/text()")
    assert [dates[0], dates[2]] == values(before, "//pubDate/text()")
    assert "Dec 2026" in dates[1]


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    convert(at, STORY)
    feed_of(at)
    before = (tmp_path / "feed.xml").read_bytes()
    feed_of(at, LATER)
    assert (tmp_path / "feed.xml").read_bytes() == before


def test_a_damaged_feed_is_written_again(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    convert(at, STORY)
    (tmp_path / "feed.xml").write_text("<rss><channel><item><guid>x</guid></item>", "utf-8")
    assert len(values(feed_of(at), "//item")) == 2


def test_a_shelf_of_books_has_seasons(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    convert(at, STORY)
    convert(at, STORY.replace("lamp", "candle"), "other.md")
    root = feed_of(at, title="My shelf")
    assert values(root, "/rss/channel/title/text()") == ["My shelf"]
    assert values(root, "//itunes:season/text()") == ["1", "1", "2", "2"]
    assert len(set(values(root, "//guid/text()"))) == 4


def test_hostile_titles_stay_text(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    convert(at, HOSTILE, "story.txt", title="<b>&\x01Book</b>")
    root = feed_of(at)
    assert "<b>&" in values(root, "/rss/channel/title/text()")[0]
    assert "</script>" in values(root, "//item/description/text()")[0]


@pytest.mark.parametrize(
    ("url", "text", "said"),
    [
        ("example.org", STORY, "is not an address"),
        ("ftp://example.org/", STORY, "is not an address"),
        (URL.replace(" ", ""), "", "holds no book"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, url: str, text: str, said: str) -> None:
    at = Desk(tmp_path)
    if text:
        convert(at, text)
    with pytest.raises(UserError, match=said):
        at.run(feed(at.here(), tmp_path, url, title="", cache=None, now=NOW))


def test_whole_books_alone_make_no_episodes(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    convert(at, STORY, format="m4b")
    with pytest.raises(UserError, match="--format mp3"):
        at.run(feed(at.here(), tmp_path, URL.replace(" ", ""), title="", cache=None, now=NOW))


@pytest.mark.external
def test_a_parser_of_others_reads_it(tmp_path: Path) -> None:
    import feedparser

    at = Desk(tmp_path)
    convert(at, STORY)
    feed_of(at)
    found = feedparser.parse(str(tmp_path / "feed.xml"))
    assert not found.bozo
    assert [entry.title for entry in found.entries] == ["One", "Two"]
    assert all(entry.enclosures[0].type == "audio/mpeg" for entry in found.entries)
    assert all(entry.published_parsed for entry in found.entries)
