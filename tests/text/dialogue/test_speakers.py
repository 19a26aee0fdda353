"""Who speaks: by verb and pronoun, by names, by turns; nobody is guessed."""

from __future__ import annotations

import pytest

from tts_book.text.dialogue.direct_speech import find_utterances
from tts_book.text.dialogue.speakers import attribute_speech

ROWS = [
    ("ru", "— Иди, — сказала Соня.", "Соня", "female", "verb"),
    ("ru", "— Иди, — тихо ответил Пётр Ильич и сел.", "Пётр Ильич", "male", "verb"),
    ("ru", "— Иди, — закричали все.", "", "", "none"),
    ("ru", "— Иди.", "", "", "none"),
    ("ru", "Вера сказала: «Я пойду одна.»", "Вера", "female", "verb"),
    ("ru", "— Иди, — сказал он Соне.", "", "male", "verb"),
    ("uk", "— Іди, — сказала Олена.", "Олена", "female", "verb"),
    ("pl", "– Idź – powiedziała Ewa.", "Ewa", "female", "verb"),
    ("en", "“Go,” said Watson.", "Watson", "", "none"),
    ("en", "“Go,” she said.", "", "female", "pronoun"),
    ("en", "“Go,” said Mrs. Hudson.", "Mrs Hudson", "female", "pronoun"),
]


@pytest.mark.parametrize(("language", "text", "name", "gender", "rule"), ROWS)
def test_one_reply(language: str, text: str, name: str, gender: str, rule: str) -> None:
    (found,) = attribute_speech(text, find_utterances(text, language), language)
    assert (found.name, found.gender, found.evidence.value) == (name, gender, rule)


TALK = (
    "— Ты идёшь? — спросил Пётр.\n\n— Нет, — ответила Вера.\n\n— Почему?\n\n— Дождь.\n\n"
    "Они помолчали.\n\n— Ладно."
)


def test_speakers_take_turns_until_somebody_tells_something() -> None:
    found = attribute_speech(TALK, find_utterances(TALK, "ru"), "ru")
    assert [(each.name, each.gender) for each in found] == [
        ("Пётр", "male"),
        ("Вера", "female"),
        ("Пётр", "male"),
        ("Вера", "female"),
        ("", ""),
    ]


def test_other_names_of_a_speaker() -> None:
    text = "— Иди, — сказал Родя."
    (found,) = attribute_speech(
        text, find_utterances(text, "ru"), "ru", {"родя": "Раскольников"}, {}
    )
    assert found.name == "Раскольников"
