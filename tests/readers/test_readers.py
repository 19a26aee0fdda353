"""Files into books: encodings, what is no text, Markdown, folders, one clear line for mistakes."""

from __future__ import annotations

import os
import random
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger import find_ledger_gaps
from tts_book import readers
from tts_book.errors import UserError
from tts_book.model import Book, Break
from tts_book.readers import ReadOptions
from tts_book.readers.book import NotesAt
from tts_book.readers.decoding import decode_text
from tts_book.readers.folder import texts_in

RU = (
    "Старик медленно шёл к реке, и собака шла вместе с ним. Он ничего не сказал: да и что тут "
    "было говорить? Вода поднялась ещё выше, чем вчера, и лодку унесло под самый мост. "
)
EN = (
    "The old man walked slowly down to the river, and his dog went with him. He said nothing: "
    "what was there to say? The water had risen since the day before, and the boat was gone. "
)
DE = (
    "Der alte Mann ging langsam zum Fluß hinunter, und sein Hund lief mit ihm. Er sagte nichts: "
    "was hätte er auch sagen können? Das Wasser war seit gestern höher, und das Boot war fort. "
)
OPTIONS = ReadOptions()


def read(source: str | bytes, name: str = "book.txt", options: ReadOptions = OPTIONS) -> Book:
    data = source.encode() if isinstance(source, str) else source
    return readers.read_bytes(data, name, options)


def gaps(book: Book, source: str) -> tuple[tuple[int, int], ...]:
    runs = chain.from_iterable(chapter.origin.runs for chapter in book.chapters)
    skips = chain.from_iterable(chapter.skips for chapter in book.chapters)
    return find_ledger_gaps(source, runs, (*book.skips, *skips))


RUSSIAN = ("utf-8", "utf-8-sig", "cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic")
WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32")


@pytest.mark.parametrize("encoding", [*RUSSIAN, *WIDE])
@pytest.mark.parametrize("size", [120, 1_000, 50_000])
def test_russian_is_decoded_right(encoding: str, size: int) -> None:
    text = (RU * (size // len(RU) + 1))[:size]
    assert decode_text(text.encode(encoding), "x.txt").text == text


@pytest.mark.parametrize("text", [EN, DE], ids=["en", "de"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "latin-1", *WIDE])
def test_other_languages_are_decoded_right(text: str, encoding: str) -> None:
    assert decode_text(text.encode(encoding), "x.txt").text == text


def test_a_guess_is_said_and_can_be_overruled() -> None:
    assert "book.txt: read as koi8-r (guessed)" in read(RU.encode("koi8-r")).notices
    told = read(RU.encode("koi8-r"), options=ReadOptions(encoding="koi8-r"))
    assert told.chapters[0].text.startswith("Старик")
    assert not [notice for notice in told.notices if "guessed" in notice]


def test_a_stray_zero_does_not_make_a_text_binary() -> None:
    assert decode_text((RU * 3 + "\0" + RU).encode(), "x.txt").encoding == "utf-8"


def test_a_few_broken_bytes_do_not_spoil_utf_8() -> None:
    data = RU.encode() * 20
    broken = data[:401] + b"\xff" + data[401:]
    assert decode_text(broken, "x.txt").notice.startswith("x.txt: UTF-8 with ")


MISTAKES = (
    (b"", "book.txt is empty"),
    (b" \r\n\t", "book.txt is empty"),
    ("\u00a0\n".encode(), "only blanks|no words"),
    (b"* * *", "no words"),
    (b"\x7fELF\x02\x01\x01\x00", "is a program"),
    (b"PK\x03\x04rest", "is a damaged or cut-off archive"),
    (b"%PDF-1.7\n", "is damaged, or no PDF at all"),
    (b"{\\rtf1 x}", "install Calibre|cannot be read by Calibre"),
    (b"\xd0\xcf\x11\xe0" * 9, "is an old Word document"),
    (b"\x89PNG\r\n\x1a\n", "is a PNG picture"),
    (b"ID3\x04\x00", "is MP3 sound"),
    (bytes(range(256)) * 8, "is a binary file"),
    (random.Random(1).randbytes(4_000), "is a binary file|in no known encoding"),
    (b"\x00" * 4_000, "is a binary file|only blanks|empty"),
    (b"Zxq vbn", "its language is not clear"),
)


@pytest.mark.parametrize(("data", "message"), MISTAKES, ids=[row[1] for row in MISTAKES])
def test_a_mistake_is_one_clear_line(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        read(data)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ReadOptions(encoding="cp1251x"), 'did you mean "cp1251"'),
        (ReadOptions(encoding="utf-16"), "is not in utf-16"),
        (ReadOptions(encoding="base64"), "not known"),
        (ReadOptions(language="russian"), "did you mean ru"),
    ],
)
def test_a_wrong_option_is_told(options: ReadOptions, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(RU.encode() + b"!" * (1 - len(RU.encode()) % 2), options=options)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "chapter.txt").write_text(RU, encoding="utf-8")
    with pytest.raises(UserError, match=r"does not exist: .*did you mean .chapter.txt"):
        readers.read(tmp_path / "chaptr.txt", OPTIONS)
    with pytest.raises(UserError, match="is a folder: use `tts-book batch"):
        readers.read(tmp_path, OPTIONS)


def test_the_language_is_told_or_taken() -> None:
    book = read(RU)
    assert book.language == "ru"
    assert "language: Russian (ru), from the text" in book.notices
    assert read(EN, options=ReadOptions(language="en_gb")).language == "en-GB"


def test_title_and_author() -> None:
    assert read(EN, "the_river.txt").title == "the_river"
    told = read(EN, options=ReadOptions(title="The River", author="A. Nonymous"))
    assert (told.title, told.author) == ("The River", "A. Nonymous")


GUTENBERG = f"""The Project Gutenberg EBook of The River, by A. Nonymous

Title: The River

Author: A. Nonymous

Language: English

*** START OF THIS PROJECT GUTENBERG EBOOK THE RIVER ***

CHAPTER I.

{EN}

CHAPTER II.

{EN}

End of the Project Gutenberg EBook of The River

*** END OF THIS PROJECT GUTENBERG EBOOK THE RIVER ***

Section 1.  General Terms of Use
"""


def test_the_frame_of_project_gutenberg_is_left_out() -> None:
    book = read(GUTENBERG)
    assert (book.title, book.author, book.language) == ("The River", "A. Nonymous", "en")
    assert [chapter.title for chapter in book.chapters] == ["CHAPTER I", "CHAPTER II"]
    assert "Gutenberg" not in "".join(chapter.text for chapter in book.chapters)
    assert "Project Gutenberg header" in "".join(book.notices)
    assert not gaps(book, GUTENBERG)


WRAPPED = """CHAPTER I. The river rises and nobody is at all surprised, but the
boat is gone

The old man walked slowly down to the river, and his dog went with him
as it had done on every day of every year since the two of them had be-
come friends, which was a long time ago, long before the bridge.

    I am the water, you are the shore
    Nothing was here before me

He said nothing. What was there to say? The water had risen since the
day before, and the boat was gone, and nobody came to ask him about it.
"""


def test_wrapped_lines_are_joined() -> None:
    book = read(WRAPPED)
    (chapter,) = book.chapters
    parts = chapter.text.split("\n\n")
    assert parts[0].endswith("surprised, but the boat is gone")
    assert "had become friends" in parts[1]
    assert parts[2] == "I am the water, you are the shore\nNothing was here before me"
    assert len(parts) == 4
    assert [skip.reason for skip in chapter.skips] == ["line-end hyphen"]
    assert str(chapter.origin.place(chapter.text.index("friends"))) == "book.txt:6:6"
    assert not gaps(book, WRAPPED)


def test_indented_paragraphs_of_wrapped_lines() -> None:
    body = "  и собака шла вместе с ним, как это бывало каждый день, пока он жил у\n" * 3
    source = (
        "      Старик медленно шёл к реке по дороге, которую сам и проложил здесь,\n" + body
    ) * 4
    (chapter,) = read(source).chapters
    assert len(chapter.text.split("\n\n")) == 4


def test_page_numbers_inside_sentences_are_dropped() -> None:
    pages = [
        f"Старик медленно шёл к реке, и собака шла\n\n{n}\n\nвместе с ним домой."
        for n in range(5, 12)
    ]
    source = "\n\n".join(pages)
    book = read(source)
    assert book.chapters[0].text.count("шла вместе с ним") == 7
    assert {skip.reason for skip in book.chapters[0].skips} == {"page number"}
    assert not gaps(book, source)


MARKDOWN = f"""---
title: "The River"
author: A. Nonymous
lang: en
---

# One *bright* morning

{EN.strip()} See [the map](https://example.org/a_(b) "map") and `wc -l`.
![a picture](river.png)

***

- **First**, a boat
- then a bridge \\*

| who | what |
|-----|------|
| man | dog  |

```python
print("never said")
```

## Later

{EN}

# Two

> {EN}
"""


def test_markdown() -> None:
    book = read(MARKDOWN, "river.md")
    assert (book.title, book.author, book.language) == ("The River", "A. Nonymous", "en")
    assert [chapter.title for chapter in book.chapters] == ["One bright morning", "Two"]
    text = book.chapters[0].text
    assert text.startswith("One bright morning\n\nThe old man")
    assert "See the map and wc -l." in text
    assert "\n\nFirst, a boat\n\nthen a bridge *\n\nwho, what" in text
    assert "\n\nwho: man, what: dog\n\nCode example.\n\nLater\n\n" in text
    for never in ("print", "example.org", "river.png", "#", "|", "title:", "**"):
        assert never not in text
    reasons = {skip.reason for skip in book.chapters[0].skips}
    assert {"code", "picture", "markup", "scene mark", "front matter"} <= reasons
    kinds = [at.kind for at in book.chapters[0].breaks]
    assert kinds == [Break.HEADING, Break.SCENE, Break.HEADING]
    assert str(book.chapters[0].origin.place(text.index("bridge"))) == "river.md:15:10"
    assert not gaps(book, MARKDOWN)


MARKS = st.sampled_from(
    ["# a", "text", "*em*", "[l](u)", "![i](p)", "`c`", "\n", "\n\n", "> ", "- ", "1. ",
     "|a|b|\n|-|-|\n", "```\n", "***", "&amp;", "\\*", "<b>", "  \n", "<!-- x -->", "[a]: b\n",
     "[^1]", "\n[^1]: ", "\n[^2]: c\n", "<!-- ", "    "]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(MARKS, st.text(max_size=4)), max_size=25).map("".join),
    st.sampled_from(["skip", "inline", "end"]),
)
def test_markdown_loses_nothing(source: str, notes: NotesAt) -> None:
    source = EN + "\n\n" + source.replace("\ud800", "")
    source = source.encode("utf-8", "ignore").decode()
    book = read(source, "x.md", ReadOptions(encoding="utf-8", language="en", notes=notes))
    assert not gaps(book, source)


def folder_of(path: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def test_a_folder_is_one_book(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        {
            "10.txt": RU,
            "2.txt": f"Глава 1\n\n{RU}\n\nГлава 2\n\n{RU}",
            "1.md": f"# Начало\n\n{RU}",
            "README.md": EN,
            ".hidden.txt": EN,
            "cover.jpg": b"\xff\xd8\xff",
            "voices.toml": "x = 1",
            "empty.txt": b"",
            "binary.txt": b"\x7fELF\x00",
        },
    )
    read = readers.read_folder(folder, OPTIONS)
    assert [path.name for path in read.sources] == ["1.md", "2.txt", "10.txt"]
    assert [chapter.title for chapter in read.book.chapters] == [
        "Начало", "Глава 1", "10", "binary", "empty",
    ]  # fmt: skip
    assert [chapter.number for chapter in read.book.chapters] == [1, 2, 3, 4, 5]
    assert [b.kind for b in read.book.chapters[1].breaks] == [Break.HEADING] * 2
    assert read.book.title == tmp_path.name
    assert {path.name: why[:10] for path, why in read.unread} == {
        "binary.txt": "is a progr",
        "empty.txt": "is empty: ",
    }


def test_a_folder_split_by_headings(tmp_path: Path) -> None:
    text = f"Глава 1\n\n{RU}\n\nГлава 2\n\n{RU}"
    folder = folder_of(tmp_path, {"1.txt": text, "2.txt": text})
    book = readers.read_folder(folder, ReadOptions(split="headings")).book
    titles = [chapter.title for chapter in book.chapters]
    assert titles == ["Глава 1", "Глава 2", "Глава 1 (2)", "Глава 2 (2)"]


def test_odd_files_of_a_folder_are_told(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "1.txt": RU * 3,
        "2.txt": RU * 3,
        "3.txt": (RU * 3).encode("cp1251"),
        "Part 2/4.txt": EN * 2,
    }
    book = readers.read_folder(folder_of(tmp_path, files), ReadOptions()).book
    notices = "\n".join(book.notices)
    assert "3.txt: in windows-1251, its neighbours in utf-8" in notices
    assert "in English (en): Part 2/4.txt" in notices
    assert [chapter.language for chapter in book.chapters] == ["", "", "", "en"]
    book = readers.read_folder(tmp_path, ReadOptions(language="ru")).book
    assert not any(chapter.language for chapter in book.chapters)
    notices = "\n".join(book.notices)
    assert (
        "Part 2/4.txt: looks English (en), but is read as Russian (ru), as --language says"
        in notices
    )


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_folders_are_parts_in_natural_order_and_loops_of_links_end(tmp_path: Path) -> None:
    names = ("Part 10/1.txt", "Part 2/10.txt", "Part 2/2.txt", "0.txt", "Part 2/in/1.txt",
             ".git/a.txt", "~old/b.txt")  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(RU, "utf-8")
    (tmp_path / "Part 2" / "loop").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "Part 10")
    book = readers.read_folder(tmp_path, OPTIONS).book
    assert [chapter.title for chapter in book.chapters] == [
        "0", "Part 2, 2", "Part 2, 10", "Part 2, in, 1", "Part 10, 1",
    ]  # fmt: skip
    assert str(book.chapters[1].origin.place(0)) == f"{tmp_path.name}/Part 2/2.txt:1:1"
    assert [path.name for path in texts_in(tmp_path, recursive=False)] == ["0.txt"]


def test_a_file_that_cannot_be_read_keeps_its_number(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"1.txt": RU, "2.txt": b"\x7fELF\x00", "3.txt": RU}
    book = readers.read_folder(folder_of(tmp_path, files), OPTIONS).book
    assert [chapter.number for chapter in book.chapters] == [1, 2, 3]
    assert [bool(chapter.text) for chapter in book.chapters] == [True, False, True]
    assert book.chapters[1].unread.startswith(f"{tmp_path.name}/2.txt is a program")


@pytest.mark.parametrize(
    ("files", "message"),
    [({}, "holds no texts"), ({"a.txt": b""}, "can be read: a.txt is empty")],
)
def test_a_folder_without_texts(
    tmp_path: Path, files: dict[str, str | bytes], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        readers.read_folder(folder_of(tmp_path, files), OPTIONS)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        readers.read_folder(tmp_path / "nowhere", OPTIONS)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        book = read(data, options=ReadOptions(language="en"))
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert book.chapters


# A piece of Markdown, and what is heard of it.
DIALECTS = [
    ("It was ~~bad~~ good.", "It was bad good."),
    ("It was ==very== good :smile: at 10:30:45.", "It was very good at 10:30:45."),
    ("Some H~2~O, 10^23^ of x^2^, and ~some.", "Some H₂O, 10²³ of x², and ~some."),
    ("See [[The Mill]] and [[mill|a mill]].", "See The Mill and a mill."),
    ("> [!NOTE]\n> The mill is old.", "The mill is old."),
    ("It {{< ref mill >}} stands {% raw %}still{% endraw %} there.", "It stands still there."),
    ("It stood. \\newpage", "It stood."),
    ("Take \\frac{a}{b} now.", "Take formula now."),
    ("Take \\[\\frac{a}{b}\\] now.", "Take formula now."),
    ("He said \\[sic\\] it.", "He said [sic] it."),
    ("\\[\n\\int x\n\\]\n\nText.", "Formula.\n\nText."),
    ("- [x] done\n- [ ] open", "done\n\nopen"),
    ("::: warning\nMind it.\n:::", "Mind it."),
    ("## The Mill {#mill .big}\n\nIt turns.", "The Mill\n\nIt turns."),
    ("A [link](/x){target=_blank} here.", "A link here."),
    ("[TOC]\n\nText.", "Text."),
    ("[[_TOC_]]\n\nText.", "Text."),
    ("Take $\\frac{a}{b}$ now.", "Take formula now."),
    ("Take \\(\\frac{a}{b}\\) now.", "Take formula now."),
    ("Take $x$ and $10^{23}$ now.", "Take x and 10²³ now."),
    ("It costs $5, or $10 and $12.", "It costs $5, or $10 and $12."),
    ("So:\n\n$$\n\\int f\n$$\n\nIt is.", "So:\n\nFormula.\n\nIt is."),
    ("\\begin{equation}\na = b\n\\end{equation}\n\nIt is.", "Formula.\n\nIt is."),
    ("Press `--stat` or `git checkout --`, then `argv[1]`.",
     "Press --stat or git checkout --, then argv[1]."),
    ("About 10<sup>23</sup>, H<sub>2</sub>O, a word<sup>2</sup>.",
     "About 10²³, H₂O, a word."),
    ("<div class='note'>\n<p>First <b>bold</b> word.</p>\n<p>Second.</p>\n</div>",
     "First bold word.\n\nSecond."),
    ("<table><tr><td>one</td><td>two</td></tr></table>", "one, two"),
    ("<details>\n<summary>More</summary>\n\nInside.\n\n</details>", "More\n\nInside."),
    ("<h2>The Mill</h2>\n\n<script>\nno();\n</script>\n\nYes.", "The Mill\n\nYes."),
    ("<pre>\ncode()\n</pre>\n\nYes.", "Code example.\n\nYes."),
    ("![A mill](mill.png)\n\nYes.", "Figure.\n\nYes."),
    ("![](mill.png)\n\nYes.", "Yes."),
    ("See <https://example.org/a_b> now.", "See link to example.org now."),
]  # fmt: skip


@pytest.mark.parametrize(("source", "heard"), DIALECTS)
def test_dialects_of_markdown(source: str, heard: str) -> None:
    book = read(f"{EN}\n\n{source}\n\nThe end.\n", "x.md", ReadOptions(language="en"))
    text = "\n\n".join(chapter.text for chapter in book.chapters)
    assert text == f"{EN.strip()}\n\n{heard}\n\nThe end."
    assert not gaps(book, f"{EN}\n\n{source}\n\nThe end.\n")


def test_code_and_formulas_of_markdown_are_read_on_request() -> None:
    source = (
        f"{EN}\n\n```sh\ngit add --all\n  argv[1]\n```\n\n$$\\frac{{a}}{{b}}$$\n\n![Mill](m.png)\n"
    )
    book = read(source, "x.md", ReadOptions(language="en", code="read"))
    heard = "git add --all\nargv[1]\n\n(a) / (b)\n\nMill"
    assert book.chapters[0].text == f"{EN.strip()}\n\n{heard}"
    assert not gaps(book, source)


def test_an_empty_formula_of_markdown_is_accounted_for() -> None:
    source = f"{EN}\n\nTake $\\left\\right$ now.\n\n$$\\quad$$\n"
    book = read(source, "x.md", ReadOptions(language="en", code="read"))
    assert book.chapters[0].text.endswith("Take now.")
    assert not gaps(book, source)
