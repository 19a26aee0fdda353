"""Direct speech in nine languages: what is said stands in [brackets]."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_book.text.dialogue.direct_speech import find_utterances
from tts_book.text.dialogue.roles import NARRATOR, RoleSpan, assign_roles, split_by_role

CASES = """
ru|— [Кто там?] — спросил смотритель.
ru|— [Я вернусь], — сказала Вера, — [если не будет шторма].
ru|— [Хорошо.] — Он встал и подошёл к окну. — [Тогда идём].
ru|— [Москва — большой город, а ты один].
ru|— [Это... вы?..] — пробормотал он.
ru|— [Стой!] (Она схватила его за рукав.) [Не ходи туда!]
ru|Он сказал тихо: «[Я никуда не пойду.]»
ru|«[Неужели опоздал?]» — подумал он и побежал.
ru|Она читала «Войну и мир» и не слышала звонка.
ru|Это был так называемый «порядок» старого доктора.
ru|Над дверью висела вывеска: «Портной Иванов и сын»
ru|Дождь шёл весь день — холодный, долгий, осенний.
ru|— [Ты читал «Тихий Дон»?] — спросил отец.
ru|«[Пойдём]», — сказал он; — он боялся темноты.
en|“[It is simple],” said he; “[my lamp is out].”
en|“[You are right],” she cried; “[I am the keeper. Who else?]”
en|“[If it rains],” he went on, turning to the door, “[we stay here].”
en|“[It rains],” said he. The sign read “no entry” all the same.
uk|— [Хто там?] — спитав дід.
uk|«[Невже запізнився?]» — подумав він.
pl|– [Dzień dobry] – powiedział Jan. – [Jak się masz?]
pl|– [Kto tam?] – zapytała Ewa.
cs|„[Kdo je tam?]“ zeptal se hlídač.
de|„[Wer ist da?]“, fragte der Wärter.
de|Er las »Die Räuber« noch einmal.
es|—[Hola] —dijo él—. [¿Quién eres?]
es|—[No lo sé] —respondió Ana.
fr|— [Bonjour], dit-il, [je suis en retard].
fr|« [Qui est là ?] » demanda le gardien.
it|«[Chi è là?]» chiese il guardiano.
en|“[Who is there?]” asked the keeper.
en|The keeper said, “[Nobody comes here.]”
en|“[I will come],” she said, “[if it stops raining.]”
en|He read “The Gulls” every winter.
en|It was what they called a “good” harbour.
en|It's the keeper's boat, and 'tis not yours.
""".strip().splitlines()


def bare(text: str) -> str:
    return text.strip(" .,!?…—–")


@pytest.mark.parametrize("case", CASES)
def test_speech(case: str) -> None:
    language, _, drawn = case.partition("|")
    text = drawn.replace("[", "").replace("]", "")
    spans = [text[a:b] for utterance in find_utterances(text, language) for a, b in utterance.spans]
    assert list(map(bare, spans)) == list(map(bare, re.findall(r"\[(.*?)\]", drawn)))


QUOTED_ON = (
    "«Первый день был ясный.\n\nВторой день был хуже.\n\n"
    "Третий мы не вышли из дома.»\n\nОн закрыл тетрадь."
)


def test_a_quotation_over_several_paragraphs() -> None:
    spans = [QUOTED_ON[a:b] for u in find_utterances(QUOTED_ON, "ru") for a, b in u.spans]
    assert spans == [
        "Первый день был ясный.",
        "Второй день был хуже.",
        "Третий мы не вышли из дома.",
    ]


def test_single_quotation_marks_of_a_british_text() -> None:
    text = (
        "‘Who’s there?’ said the keeper.\n\n‘It’s only me,’ said Tom, ‘and the boys’ dog.’\n\n"
        "‘Come in, then.’"
    )
    spans = [text[a:b] for u in find_utterances(text, "en") for a, b in u.spans]
    assert spans == ["Who’s there?", "It’s only me,", "and the boys’ dog.", "Come in, then."]


def test_a_language_without_customs_has_no_speech() -> None:
    assert find_utterances("— Mi ne scias.", "eo") == []


PIECES = "— /«/»/, — /. — /сказал он/Вера/дом/./?/ /\n\n/“/”/(/)/:"
TEXTS = st.lists(st.sampled_from(PIECES.split("/")), max_size=60).map("".join)


@given(TEXTS | st.text(max_size=120), st.sampled_from(["ru", "en", "es", "fr", "pl", "de"]))
def test_roles_cover_any_text_once_and_in_order(text: str, language: str) -> None:
    found = assign_roles(text, language, lambda name, gender: "dialogue")
    assert all(0 <= span.start < span.stop <= len(text) for span in found.spans)
    assert all(a.stop <= b.start for a, b in zip(found.spans, found.spans[1:], strict=False))
    pieces = list(split_by_role(text, 0, len(text), found.spans)) if text else []
    assert "".join(text[piece.start : piece.stop] for piece in pieces) == text


def test_marks_go_with_words() -> None:
    text = "— Да, — сказал он."
    pieces = split_by_role(text, 0, len(text), [RoleSpan(2, 5, "dialogue")])
    assert [(text[p.start : p.stop], p.role) for p in pieces] == [
        ("— Да,", "dialogue"),
        (" — сказал он.", NARRATOR),
    ]
