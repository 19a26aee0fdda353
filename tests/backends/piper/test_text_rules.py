"""Texts made sayable for Piper: what goes in, what is said, and where each word came from."""

# ruff: noqa: E501  # a text and what is said of it stand side by side

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_book.backends.piper.text_rules import (
    LONGEST_CHARACTERS,
    PartEnd,
    make_sayable,
    split_paragraph,
)


def said(text: str, language: str = "en") -> str:
    return " | ".join(
        " ".join(paragraph.text.split()) for paragraph in make_sayable(text, language)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # abbreviations
        ("Dr. Hale met Mr. Orr on Elm St. The rain fell.", "Doctor Hale met Mister Orr on Elm Street. The rain fell."),
        ("St. Jude, Mt. Hood, Prof. Ames and Ms. Lee", "Saint Jude, Mount Hood, Professor Ames and Miz Lee"),
        ("Fort St. John, Sgt. St. Clair", "Fort Saint John, Sergeant Saint Clair"),
        ("Then Dr. Hale left. Shore Dr. is long.", "Then Doctor Hale left. Shore Drive is long."),
        ("Dear Dr. Orr, Lord St. Clare and Lady St. Clare, Mr. Neville St. Clare", "Dear Doctor Orr, Lord Saint Clare and Lady Saint Clare, Mister Neville Saint Clare"),
        ("Old Dr. Orr and Nurse St. Clare’s bag", "Old Doctor Orr and Nurse Saint Clare’s bag"),
        ("at 42 Elm St. Boston, on 3rd St. Station, on Wall St. Bankers ran", "at 42 Elm Street Boston, on 3rd Street Station, on Wall Street Bankers ran"),
        ("King St., Church St. and 9 Hill Dr. S. Thank you, Dr. He left.", "King Street, Church Street and 9 Hill Drive S Thank you, Doctor. He left."),
        ("No. 5, pp. 5–7, vol. 2, Fig. 3", "number 5, pages 5 to 7, volume 2, Figure 3"),
        ("He said no. Then he left.", "He said no. Then he left."),
        ("figs, e.g. these, etc. Other fruit, etc. too", "figs, for example these, et cetera. Other fruit, et cetera too"),
        ("at 10 p.m. He woke at 9 a.m. sharp", "at 10 PM. He woke at 9 AM sharp"),
        ("the U.S. Navy; in the U.S. The navy", "the U S Navy; in the U S. The navy"),
        ("J. R. Orr, J.R. Orr and A. Bell", "J R Orr, J R Orr and Ay Bell"),
        ("taller than I. He knew vitamin C. The end.", "taller than I. He knew vitamin C. The end."),
        ("Orr & Co. Ltd. closed. Orr Jr. wept.", "Orr & Company Limited closed. Orr Junior wept."),
        ("on Jan. 5, 5 km off, 3 lbs. The boat", "on January 5, 5 kilometers off, 3 pounds. The boat"),
        # numbers
        ("$1,234.56, $5 million, £1, €3.50, $1bn, $0.99, 5$", "1,234 dollars and 56 cents, 5 million dollars, 1 pound, 3 euros and 50 cents, 1 billion dollars, 99 cents, 5 dollars"),
        ("a £5 note, two $10 bills, a $5 million deal, a $2-an-hour raise, £5 and $5.", "a 5 pound note, two 10 dollar bills, a 5 million dollar deal, a 2 dollar-an-hour raise, 5 pounds and 5 dollars."),
        ("1/3, 5/8, 2 1/2 cups, 3 3/4 hours, 9/11, 24/7, 10/12", "one third, five eighths, 2 and a half cups, 3 and three quarters hours, 9 11, 24 7, 10 12"),
        ("2 1/2 m long, 3/4 mi off", "2 and a half meters long, three quarters of a mile off"),
        ("Rev. 3:20, Rev. Orr, 1 Cor. 13:4–7, Gen. 1:1, Gen. Orr", "Revelation 3 20, Reverend Orr, 1 Corinthians 13 4 to 7, Genesis 1 1, General Orr"),
        ("5 m high, 200 g of oats, 1 km, a 5 km run, 60 km/h, 3 m/s. It", "5 meters high, 200 grams of oats, 1 kilometer, a 5 kilometer run, 60 kilometers an hour, 3 meters a second. It"),
        ("5 m. Then 5 m wide; a 6 ft man, 6 ft tall, 5G", "5 meters. Then 5 meters wide; a 6 foot man, 6 feet tall, 5G"),
        ("12/05/2024, 1/2 and 3/4, and/or", "12 05 20 24, one half and three quarters, and or"),
        ("the 1990s, the '80s, 1900s, 2000s, 2010s", "the nineteen nineties, the eighties, nineteen hundreds, two thousands, twenty tens"),
        ("1914–1918, #3, § 4", "19 14 to 19 18, number 3, section 4"),
        ("in 1908, 1900, 2024 and 2001; $1984, 1,984, 1984.5", "in 19 oh 8, 19 hundred, 20 24 and 2001; 1984 dollars, 1,984, 1984.5"),
        ("Henry VIII and World War II, Part I. Chapter IV", "Henry the 8th and World War 2, Part 1. Chapter 4"),
        ("George I think of, MIX, XL, CD, I, VIVID", "George I think of, MIX, XL, CD, I, VIVID"),
        ("XIV", "14."),
        ("iv. \n\nIV.", "iv. | 4."),
        # pauses
        ("He cried… and ran. “Oh…” he said. “Oh…” He ran...", "He cried, and ran. “Oh,” he said. “Oh.” He ran."),
        ("Wait ... what?... Yes...no. ...and", "Wait, what? Yes, no, and"),
        ("said—softly — and, — so. “But—” he said. “But—” He left.", "said, softly, and, so. “But,” he said. “But.” He left."),
        ("a - b -- c --- d", "a, b, c, d"),
        ("— Hello — she waved.", "Hello, she waved."),
        ("Rome–Paris, well–known, well-known", "Rome-Paris, well-known, well-known"),
        ("Yes! ! Go", "Yes!! Go"),
        # signs
        ("* * *", ""),
        ("***bold*** _it_ a*b # Head", "bold it a b Head"),
        ("[[h@]] [note] {x} <b>", "h@ note x b"),
        ("😀 smile 👍🏽 ok ™ • ⁂", "smile ok ⁂"),
        ("\ud800 \x00 x\x1by \u200bz\u00adz", "x y zz"),
        ("https://www.example.com/a/b-c?d=e. Then www.foo.org, ok", "example.com slash a slash b dash c question mark d equals e. Then foo.org, ok"),
        ("see github.com/orr/tide_table/ and http://localhost:80, he/she", "see github.com slash orr slash tide underscore table and localhost:80, he she"),
        ("Привет, мир", "Привет, мир"),
        ("one\ntwo\n\nthree", "one two | three"),
        ("ﬁre Ⅳ", "fire 4"),
        ("Hm. Hmm.", "Hmm. Hmm."),
    ],
)  # fmt: skip
def test_english(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("В 1998 г. он, т. е. А. С. Орлов, ушёл и т. д. Потом", "В 1998 года он, то есть А С Орлов, ушёл и так далее. Потом"),
        ("В XIX в. было 5 млн руб. и др.", "В девятнадцатом веке было 5 миллионов рублей и другие."),
        ("д. 5, кв. 12. №7. Стоит $5.", "дом 5, квартира 12. номер 7. Стоит 5 долларов."),
        ("— Нет, — сказал он. — Да… Он ждал… и ждал…", "Нет, сказал он. Да. Он ждал, и ждал."),
        ("Он стоял т. к. др. не было.", "Он стоял так как другие не было."),
        ("Глава IV", "Глава 4"),
        ("200 г сахара, 2 кг муки, 21 км, 1,5 л. Потом", "200 граммов сахара, 2 килограмма муки, 21 километр, 1,5 литра. Потом"),
        ("в 1998 г он, 1998 г. и 5 м", "в 1998 г он, 1998 года и 5 метров"),
        ("24/7, версия 2.0, v3.11.2", "24 на 7, версия 2 точка 0, v3 точка 11 точка 2"),
        ("III век, XX века, во II в. до нашей", "третий век, двадцатого века, во втором веке до нашей"),
        ("конец III в. Потом VI век", "конец третьего века. Потом шестой век"),
    ],
)  # fmt: skip
def test_russian(text: str, expected: str) -> None:
    assert said(text, "ru") == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de", "Ludwig XIV. kam… und ging — schnell.", "Ludwig 14. kam, und ging, schnell."),
        ("fr", "« Oui — » dit M. Dupont à J. Orr.", "« Oui,» dit Monsieur Dupont à J Orr."),
        (
            "de",
            "Fr. Orr kam, z.B. am 5. Mai usw. Dann",
            "Frau Orr kam, zum Beispiel am 5. Mai und so weiter. Dann",
        ),
        ("", "J. Orr [x] * y", "J Orr x y"),
        ("zh", "你好。今天很好…", "你好。今天很好."),
    ],
)
def test_other_languages_have_the_common_rules(language: str, text: str, expected: str) -> None:
    assert said(text, language) == expected


@pytest.mark.parametrize(
    ("text", "word", "source"),
    [
        ("So Dr. Hale left.", "Doctor", "Dr."),
        ("It cost $5.20 then.", "dollars", "$5.20"),
        ("the U.S. Navy", "S", "U.S."),
        ("He cried… and", "cried,", "cried…"),
        ("a [[b]] c", "b", "b"),
        ("Part\n\nXIV", "14.", "XIV"),
        ("Part \n \nHenry  VIII left", "8th", "Henry  VIII"),
    ],
)
def test_each_word_is_led_back_to_the_text(text: str, word: str, source: str) -> None:
    (span,) = (
        paragraph.source(found.start(), found.end())
        for paragraph in make_sayable(text, "en")
        for found in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", paragraph.text)
    )
    assert text[slice(*span)] == source


@settings(max_examples=150, deadline=None)
@given(
    st.text(
        st.one_of(st.sampled_from(list("aIVXA.…—-$5/*[]\"'”“,!? \n#st")), st.characters()),
        max_size=80,
    ),
    st.sampled_from(["en", "ru", "de"]),
)
def test_any_text_is_led_back_in_order(text: str, language: str) -> None:
    last = 0
    for paragraph in make_sayable(text, language):
        assert "[" not in paragraph.text
        assert "\x00" not in paragraph.text
        for piece in split_paragraph(paragraph.text):
            start, stop = paragraph.source(piece.start, piece.stop)
            assert last <= start <= stop <= len(text)
            last = start


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from('ab .,;!?"”'), max_size=1_500))
def test_pieces_hold_all_letters_and_none_is_too_long(text: str) -> None:
    found = split_paragraph(text)
    assert all(piece.stop - piece.start <= LONGEST_CHARACTERS for piece in found)
    assert "".join(re.findall("[ab]", "".join(text[p.start : p.stop] for p in found))) == "".join(
        re.findall("[ab]", text)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One came. Two left! “Three?” Four", ["One came.", "Two left!", "“Three?”", "Four"]),
        ("“Why?” she said. “Go.” «Да», — он.", ["“Why?” she said.", "“Go.”", "«Да», — он."]),
        ("It is 3.14 and example.com.", ["It is 3.14 and example.com."]),
        ("你好。今天！很好", ["你好。", "今天！", "很好"]),
        ("... -- !", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert [text[piece.start : piece.stop] for piece in split_paragraph(text)] == expected


def test_ordinals_end_no_sentence_where_they_have_points() -> None:
    text = "Am 5. Mai kam er. Sie ging."
    assert [text[p.start : p.stop] for p in split_paragraph(text, ordinal_points=True)] == [
        "Am 5. Mai kam er.",
        "Sie ging.",
    ]


def test_a_long_sentence_is_cut_at_its_clauses() -> None:
    text = ("some words of no weight, " * 12 + "and then; ") * 3 + "the end."
    found = split_paragraph(text)
    assert [piece.after for piece in found] == [PartEnd.CLAUSE] * (len(found) - 1) + [
        PartEnd.SENTENCE
    ]
    assert all(text[piece.stop - 1] in ";.," for piece in found)


def test_time_is_linear_for_hostile_text() -> None:
    for sign in ("a", ".", "—", "…", " ", "I", "$", "*", "[", "1", "A.", "'", "\n", "- "):
        make_sayable(sign * 30_000, "en")
        split_paragraph(sign * 30_000)
