"""What counts as a difference between a text and what a recogniser makes of its sound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_book.output.inspection.ear.comparison import ERROR_WORDS, DifferenceKind, compare_words

ENGLISH = (
    "The boat came in late that evening. The wind had turned cold, and the sea was the colour of "
    "slate. On the pier stood a tall woman with a lantern in her hand."
)
RUSSIAN = (
    "Лодка пришла поздно вечером. Ветер стал холодным, а море приобрело цвет сланца. На пирсе "
    "стояла высокая женщина с фонарём в руке и молча ждала."
)

SAME = [
    ("en", ENGLISH, ENGLISH.upper().replace(",", "")),
    ("en", ENGLISH, ENGLISH.replace("colour", "color").replace("pier", "peer")),
    ("en", "It was half past ten when the old lighthouse keeper came to day.",
     "It was half past ten when the old light house keeper came today."),
    ("en", "She climbed 204 stairs at 5:30 p.m., and then Dr. Smith of the BBC paid her $1,250.50.",
     "She climbed two hundred and four stairs at half past five in the afternoon, and then doctor "
     "Smith of the B B C paid her one thousand two hundred and fifty dollars fifty cents."),
    ("en", "It cost two dollars, three dollars, four dollars, five dollars and six dollars.",
     "It cost $2, $3, $4, $5 and $6."),
    ("ru", "До пристани оставалось четыреста с лишком шагов, и старик уже не надеялся успеть.",
     "До пристани оставалось 400 слишком шагов, и старик уже не надеялся успеть."),
    ("ru", RUSSIAN, RUSSIAN.replace("ё", "е").lower()),
    ("ru", "В 1812 году, т. е. более двухсот лет назад, армия в 600 000 человек перешла реку.",
     "В тысяча восемьсот двенадцатом году, то есть более двухсот лет назад, армия в шестьсот "
     "тысяч человек перешла реку."),
    ("ru", "Протокол TCP/IP и команда git checkout описаны в документации на GitHub подробно.",
     "Протокол ти-си-пи ай-пи и команда гит чекаут описаны в документации на гитхаб подробно."),
    ("ru", "Сотрудники МИД и ФСБ прибыли вовремя, как и было условлено накануне вечером.",
     "Сотрудники мид и эф-эс-бэ прибыли вовремя, как и было условлено накануне вечером."),
    ("ru", "Она работала в МГУ и в НИИ морской геологии, затем в ООН, ЮНЕСКО и в ВТО. Все ждали.",
     "Она работала в мг упивно морской геологии, затем в аниск и в вта все ждали."),
    ("ru", "Письмо подписали А. П. Рогов, М. Ю. Ланской и О. Л. Берг, а также их родственники.",
     "Письмо подписали от рогов, ю, ланской, берг, а также их родственники."),
    ("en", "Well, yes.", "Whale guess who is coming home to dinner tonight."),
]  # fmt: skip


@pytest.mark.parametrize(("language", "expected", "heard"), SAME)
def test_spelling_is_no_difference(language: str, expected: str, heard: str) -> None:
    assert compare_words(expected, heard, language, slight=True) == ()


CUT = "The wind had turned cold, and the sea was "
DIFFERENT = [
    (ENGLISH.replace(CUT, ""), DifferenceKind.MISSING, True, "wind had turned cold"),
    (ENGLISH.replace("cold, and the sea", ""), DifferenceKind.MISSING, False, "cold, and the sea"),
    (ENGLISH.replace(CUT, CUT + CUT), DifferenceKind.REPEATED, True, ""),
    (
        ENGLISH.replace("On the pier stood ", "On the pier stood " * 2),
        DifferenceKind.REPEATED,
        True,
        "",
    ),
    (ENGLISH.replace(CUT, "BANG "), DifferenceKind.MISSING, True, "wind had turned cold"),
    (
        ENGLISH.replace("On the pier stood a tall woman", "you should see him tomorrow when he"),
        DifferenceKind.REPLACED,
        True,
        "On the pier stood a tall woman",
    ),
    (
        ENGLISH.replace("On the pier", "and nobody could say what had become of him on the pier"),
        DifferenceKind.ADDED,
        True,
        "",
    ),
    ("", DifferenceKind.MISSING, True, ENGLISH[4:-1]),
]


def test_a_number_that_is_heard_hides_no_loss_beside_it() -> None:
    text = f"It was on Dec. 11th, 1817, as all of us remember. {ENGLISH}"
    heard = f"It was on December 11, 1817, {ENGLISH[len('The boat came in late that evening. ') :]}"
    (found,) = compare_words(text, heard, "en")
    assert found.is_error
    assert "came in late" in found.expected


def test_a_few_words_tell_only_beside_the_sound() -> None:
    heard = ENGLISH.replace("cold, and the", "")
    assert compare_words(ENGLISH, heard, "en") == ()
    (found,) = compare_words(ENGLISH, heard, "en", slight=True)
    assert (found.expected, found.is_slight, found.is_error) == ("cold, and the", True, False)
    assert heard[found.heard_start :].startswith("sea was")


def test_words_around_a_text_are_no_difference_within_a_longer_sound() -> None:
    around = f"They rowed back without a word. {ENGLISH} Nobody answered her for quite some time."
    assert compare_words(ENGLISH, around, "en") != ()
    assert compare_words(ENGLISH, around, "en", within=True) == ()
    (found,) = compare_words(ENGLISH, around.replace(CUT, ""), "en", within=True)
    assert found.kind is DifferenceKind.MISSING


@pytest.mark.parametrize(("heard", "kind", "is_error", "part"), DIFFERENT)
def test_what_is_wrong_is_found(
    heard: str, kind: DifferenceKind, is_error: bool, part: str
) -> None:
    (found,) = compare_words(ENGLISH, heard, "en")
    assert (found.kind, found.is_error) == (kind, is_error)
    assert part in found.expected
    assert ENGLISH[found.start : found.stop] == found.expected or not found.expected


@given(st.lists(st.sampled_from(RUSSIAN.split()), min_size=6, max_size=40), st.data())
def test_a_long_gap_is_always_an_error(words: list[str], data: st.DataObject) -> None:
    """Whatever the words are: what is left out in one piece is told as missing."""
    unique = [f"{word.strip('.,')}{'абвгдежзик'[at % 10]}{at % 7}" for at, word in enumerate(words)]
    plain = [word.translate(str.maketrans("0123456", "лмнопрс")) for word in unique]
    text = [*plain, *RUSSIAN.split(), *plain[::-1]]
    start = data.draw(st.integers(0, len(text) - ERROR_WORDS - 2))
    gap = text[start : start + ERROR_WORDS + 2]
    heard = text[:start] + text[start + len(gap) :]
    found = compare_words(" ".join(text), " ".join(heard), "ru")
    assert any(each.words >= ERROR_WORDS - 1 for each in found)


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_two_texts_can_be_compared(expected: str, heard: str) -> None:
    for found in compare_words(expected, heard, "en"):
        assert found.words > 0
        assert expected[found.start : found.stop] == found.expected or not found.expected
