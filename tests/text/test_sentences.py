"""Sentence splitting: every row is a paragraph with its boundaries drawn in as ‖."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_book.text.sentences import Splitter

CASES = """
ru|— Я. ‖А ты кто?
ru|— А. С. Пушкин! — вскричал он.
ru|Он сказал им. ‖Иван ушёл.
ru|Завод им. Лихачёва стоял за рекой. ‖Там было шумно.
ru|В нем. ‖Пётр увидел это.
ru|Слово (нем. Haus) значит дом.
ru|Перевод с нем. Иванова вышел в 1905 г. ‖Его читали все.
ru|Он сел. ‖Наташа встала.
ru|Приехал граф. ‖Пьер поклонился.
ru|Было 5 тыс. рублей. ‖Потом не стало.
ru|См. рис. 5 и табл. 3. ‖Там всё сказано.
ru|Они ели рис. ‖Потом пили чай.
ru|См. гл. IV, с. 25. ‖Глава хорошая.
ru|При Александре I. ‖Потом при Николае I. ‖Наполеон бежал.
ru|Людовик XVI. ‖Наполеон пришёл позже.
ru|Часть II. Война
ru|1. Первый пункт. ‖2. Второй пункт.
ru|Это было в 1812 году. ‖Армия шла.
ru|Это было в XIX в. ‖Потом забыли.
ru|Жил в г. Москве на ул. Тверской, д. 5, кв. 12. ‖Там и умер.
ru|— Кто там?.. ‖— Это я.
ru|Он ушёл!.. ‖И не вернулся.
ru|Он ушёл?! ‖Не может быть!!!
ru|«Уйди!» ‖Он не ушёл.
ru|Он спросил: «Кто там?» ‖Никто не ответил.
ru|— Да… ‖Нет… ‖Не знаю… — сказал он.
ru|Т. е. он пришёл. ‖Т. к. было поздно, все спали.
ru|Это д-р Иванов и г-жа Петрова. ‖Они врачи.
ru|Купил яблоки, груши и др. ‖Вечером ел.
ru|Родился в 1799 г. в Москве. ‖Умер в 1837 г. ‖Он был поэт.
ru|В 50-х гг. XIX в. это знали все.
ru|Вес 5 кг. ‖Цена 10 руб. ‖Это дорого.
ru|Он жил до н. э. в Риме.
ru|И. И. Иванов, П. П. Петров и С. С. Сидоров пришли. ‖Все сели.
ru|Пришёл Иванов И. И. ‖Он сел.
ru|Дж. Р. Р. Толкин написал книгу. ‖Её читали.
ru|— Ваше благородие! ‖Позвольте… — начал он. ‖— Молчать!
ru|— Подите прочь! — закричал он, — подите! ‖Слышите?
ru|«Да?» ‖— «Нет».
ru|Он сказал (и не раз!): «Уйду».
ru|Он ушёл (навсегда?). ‖Дом опустел.
ru|(Он лгал.) ‖Все знали.
ru|Mr. Pitt приехал. ‖Все встали.
ru|— Chère amie?[5] ‖Успокойте меня.
ru|Курс вырос на 3,5 %. ‖Банк доволен.
ru|В 12.30 поезд ушёл. ‖В 13.00 пришёл другой.
ru|Версия 2.0. ‖Новая.
ru|Он получил 1-е место. ‖Пётр 2-е.
ru|Он ждал… ждал… и уснул.
ru|Тишина... ‖Вдруг крик!
ru|…И вот он пришёл. ‖…А потом ушёл.
ru|— Ничего, — сказал он. ‖— Ничего, — повторила она. ‖— Ровно ничего.
ru|P.S. Жду ответа. ‖Твой Пётр.
ru|Письмо от 5 янв. 1812 г. пришло.
ru|Ст. 5 п. 3 гласит. ‖Читайте.
ru|Пьеса А. Н. Островского «Гроза». ‖Действие I.
ru|Глава первая. ‖Начало
ru|Проф. И. П. Павлов и акад. Вернадский спорили.
ru|Св. Пётр и св. Павел. ‖Аминь.
ru|Он взял т. 5 и кн. 2. ‖Читал.
ru|Он был худ. ‖Пётр толст.
ru|— О! ‖О! ‖О!
ru|— Кто вы? — спросил Иван Иваныч. ‖— Я? ‖Никто.
ru|«Зачем? ‖Зачем?» — твердила она.
ru|Он читал А.С. Грина и А. Н. Островского. ‖Потом спал.
ru|Встреча с т. н. экспертом состоялась в 10 ч. утра. ‖Все довольны.
ru|— Довольно!.. — перебил его отец. ‖— Ступай.
ru|Цена 1 234,56 руб. ‖Скидки нет.
ru|В 5-м классе учился Пётр. ‖В 6-м — Анна.
ru|Было 25 дек. 1825 г. в Петербурге.
ru|Лев Толстой (1828–1910 гг.) писал романы. ‖Их читают.
ru|Пришли гр. Толстой и кн. Вяземский. ‖Начался вечер.
ru|— Э-э… ‖Не помню.
en|“Where?” Levin asked. ‖“Here.”
en|“Where?” Mr. Bennet asked.
en|“Go!” Tom and Huck shouted. ‖They went.
en|"Stop!" John shouted. ‖"Who goes there?"
en|“Yes.” ‖Levin smiled.
en|“Stop!” ‖The man turned.
en|“I… I don’t know.” ‖He wept.
en|It was I. ‖Did you see?
en|He took vitamin C. ‖Then he slept.
en|Charles I. was king.
en|He lives in Baker St. ‖They like it.
en|St. John and St. Paul met. ‖They spoke.
en|Dr. J. Watson, M.D., came in. ‖He sat.
en|He has a Ph.D. ‖She has none.
en|At 5 p.m. ‖Holmes came.
en|At 5 p.m. Monday he left.
en|It was 6 P.M. ‖Mr. Smith slept.
en|He went to Washington, D.C. ‖Then he came home.
en|Apples, pears, etc. ‖Nobody ate them.
en|See Fig. 3, Vol. II, p. 5. ‖It is there.
en|He ate a fig. ‖John ate two.
en|Wait . . . what?
en|Wait . . . ‖What was that?
en|He paused. . . . ‖Nothing happened.
en|On Jan. 5 he died. ‖In Feb. she did.
en|The cost was $5. ‖He paid £3.50.
en|Op. 23, No. 5 in G minor. ‖He played it.
en|Smith v. Jones was heard. ‖It took long.
en|Germany vs. France. ‖It rained.
en|U.S. President Grant came. ‖He was ill.
en|He moved to the U.S. ‖It was 1850.
en|Mr. and Mrs. Smith, Jr. came. ‖They ate.
en|Messrs. Smith and Jones. ‖They ran.
en|P.S. I love you. ‖Come home.
en|‘Who’s there?’ ‖‘It’s me.’
en|“‘Come,’ he said. ‖‘Now!’”
en|“No!—I won’t!” cried he. ‖“Never!”
en|Why? why? why?
en|“What?! ‖No!” he said.
en|Part Two. ‖The War
en|Part 2. The War
en|1. First. ‖2. Second.
en|IV. The Return
en|He said “no.” ‖She said “yes.”
en|He said it (I know!). ‖She did not.
en|The year was 1812. ‖Napoleon came.
en|In 1812. ‖5 men came.
en|Plan B. ‖Then plan C.
en|Lt. Gen. U. S. Grant arrived. ‖It rained.
en|Inc. and Co. are words. ‖Acme Co. went bust.
en|E.g. John, i.e. Mary. ‖They ran.
en|He was, a.k.a. The Boss, rich.
en|“Who is it?” said Mrs. Hale. ‖“It’s late.”
en|“Oh!” she said. ‖“You!”
en|“I won’t go.” ‖“You will,” he said.
en|He met Mr. A. B. Carter of Acme Inc. in May. ‖They talked.
en|It was 3 p.m. on Tuesday. ‖She left at 4:30. ‖Nobody saw.
en|Version 2.1. was bad. ‖Version 2.2 is good.
en|The 1st Lt. saluted. ‖Gen. Lee nodded.
en|She said, “Is it true?” ‖He nodded.
en|“Really . . .” he began.
en|“No…” ‖She stopped.
en|He weighs 70 kg. ‖She weighs 60.
en|Mix water, salt, etc. in a bowl. ‖Stir.
en|“Peter!” Anna called. ‖“Peter!”
en|“Peter!” ‖Then the light went out.
de|Am 3. Oktober kam er. ‖Es regnete.
de|„Wohin gehst du?“, fragte er. ‖„Nach Hause.“
de|„Halt!“ rief er. ‖„Wer da?“
de|Das ist z. B. Hans. ‖Er ist groß.
de|Er kam um 5 Uhr. ‖Sie ging.
de|Dr. Müller und Prof. Schmidt kamen. ‖Sie saßen.
de|Äpfel, Birnen usw. ‖Kinder mögen das.
de|Im 19. Jahrhundert war das so. ‖Peter wusste es.
de|Kaiser Wilhelm II. floh. ‖Er weinte.
de|Ludwig XIV. baute viel. ‖Man staunte.
de|Im Jahr 44 v. Chr. starb Cäsar. ‖Rom weinte.
de|Das mag ich so. ‖Das ist meine Art. ‖Anna auch.
de|Er wohnt in der Hauptstr. 5 in Bonn. ‖Dort ist es still.
de|Vgl. S. 5, Nr. 3. ‖Dort steht es.
de|»Nein!« ‖Er ging.
de|Kapitel 1. Der Anfang
de|„Ja…“, sagte sie. ‖„Vielleicht.“
de|Er traf Hrn. Meier am 1. Mai 1900. ‖Es war warm.
fr|M. Dupont et Mme Durand sont venus. ‖Ils parlent.
fr|M. Le Brun est venu. ‖Il parle.
fr|« Où vas-tu ? » demanda-t-il. ‖« Là-bas. »
fr|« Non ! » ‖Il partit.
fr|— Oui ! dit-il. ‖— Non !
fr|Il vit au Ier siècle av. J.-C. ‖Il est mort.
fr|Des pommes, etc. ‖Personne ne rit.
fr|Il en a sept. ‖Pierre en a huit.
fr|Voir p. 5 et fig. 3. ‖C'est clair.
fr|Chapitre 1. Le début
fr|« Il dort… » ‖Elle sortit.
fr|— Qui est là ? demanda Jean. ‖— C’est moi.
es|El Sr. García y la Sra. López llegaron. ‖Hablaron.
es|—¿Qué? ‖—No sé.
es|—¿Dónde? —preguntó él. ‖—Allí.
es|¡Hola! ‖¿Cómo estás?
es|Vive en EE. UU. ‖Es rico.
es|Murió en el 44 a. C. en Roma. ‖Fue triste.
es|Ver pág. 5. ‖Está claro.
es|Por ej. Juan. ‖Vino tarde.
es|Capítulo 1. El comienzo
es|Fue a la playa de San. ‖Pedro también.
es|«¿Quién es?», dijo ella. ‖Nadie respondió.
it|Il sig. Rossi e il dott. Bianchi arrivarono. ‖Parlarono.
it|«Dove vai?» chiese. ‖«Là.»
it|Mele, pere ecc. ‖Nessuno mangiò.
it|Vedi p. 5. ‖È chiaro.
it|S. Pietro è grande. ‖Roma è bella.
it|Capitolo 1. L'inizio
it|— Chi è? — chiese Anna. ‖— Io.
pt|O Sr. Silva e a Sra. Costa chegaram. ‖Falaram.
pt|— Onde? — perguntou ele. ‖— Ali.
pt|D. Pedro chegou. ‖Choveu.
pt|Maçãs, etc. ‖Ninguém comeu.
pt|Ver pág. 5. ‖Está claro.
pt|Capítulo 1. O começo
pt|O Dr. Sousa saiu às 5 p.m. com a mulher. ‖Voltou tarde.
pl|Prof. Nowak i dr Kowalski przyszli. ‖Usiedli.
pl|— Gdzie? — zapytał. ‖— Tam.
pl|W 1999 r. było ciepło. ‖Potem nie.
pl|Jabłka itd. ‖Wszyscy jedli.
pl|Np. Kraków jest ładny. ‖Warszawa też.
pl|Ul. Długa 5. ‖Tam mieszka.
pl|3. Pułk Piechoty ruszył. ‖Padało.
pl|To był 3. Pułk. ‖Padało.
pl|Rozdział 1. Początek
pl|„Kto tam?” — zapytała. ‖Nikt nie odpowiedział.
uk|— Хто там? — спитав він. ‖— Я.
uk|Проф. Шевченко жив у м. Києві. ‖Там добре.
uk|У 1991 р. він приїхав. ‖Потім поїхав.
uk|Яблука, груші та ін. ‖Потім їли.
uk|Т. зв. Сонце світить. ‖День.
uk|Див. с. 5. ‖Там є.
uk|Не зрозумів я. ‖Світлана теж.
uk|Розділ 1. Початок
uk|«Куди?» — запитала мати. ‖Він мовчав.
cs|Např. Praha je krásná. ‖Brno taky.
cs|„Kam jdeš?“ zeptal se. ‖„Domů.“
cs|Dne 3. května přišel. ‖Pršelo.
cs|To byl 3. Pluk. ‖Pršelo.
cs|Jablka atd. ‖Všichni jedli.
cs|Prof. Novák a dr. Svoboda přišli. ‖Seděli.
cs|Kapitola 1. Začátek
cs|Bydlí v ul. Dlouhé č. 5. ‖Je tam ticho.
zh|他来了。‖她走了。
zh|“你去哪儿？”他问。‖“回家。”
zh|真的吗？‖是的！
zh|我……我不知道。‖好。
nl|Hij zei: ,,Ik kom morgen.'' ‖Daarna ging hij weg.
nl|,,Waar ben je?'' vroeg zij.
nl|,,Ik kom,'' zei hij. ‖,,Wacht op mij!'' ‖Zij wachtte.
nl|Toen kwam mgr. De Vries binnen. ‖Hij ging zitten.
nl|Prof. dr. Bakker en mevr. Jansen, resp. 30 en 40 jaar, waren er.
nl|Op blz. 12 en nr. 5 staat o.a. dit. ‖Hij won ca. 30 prijzen.
nl|'s Morgens regende het. ‖'t Was koud.
nl|Hij kocht brood, kaas, enz. ‖Daarna ging hij.
nl|Het was eng. ‖Zij zag Jan. ‖Jan zag haar.
zh|（他来了。）‖她走了。
ja|「行くの？」と彼は言った。‖「うん。」
ja|雨だ。‖傘がない！‖どうしよう？
ja|彼は……来なかった。
ko|그는 갔다. ‖그녀는 왔다.
ar|أين ذهب؟ ‖لا أعرف.
hi|वह गया। ‖वह आई।
"""

LISTED = ("ru", "en", "de", "fr", "es", "it", "pt", "pl", "uk", "cs", "be", "nl")


def split(language: str, paragraph: str, sample: str = "") -> list[str]:
    return [paragraph[a:b] for a, b in Splitter(language, sample).spans(paragraph)]


@pytest.mark.parametrize("row", CASES.strip().split("\n"))
def test_boundaries(row: str) -> None:
    language, drawn = row.split("|", 1)
    paragraph = drawn.replace("‖", "")
    assert split(language, paragraph) == [part.strip() for part in drawn.split("‖")]


@pytest.mark.parametrize(
    ("language", "heading"),
    [
        ("ru", "Глава 12. Возвращение"),
        ("ru", "Том II. Зима"),
        ("en", "Book IV. The Sea"),
        ("de", "Teil 2. Der Weg"),
        ("fr", "Livre 3. La mer"),
        ("es", "Parte 2. El mar"),
        ("it", "Parte 2. Il mare"),
        ("pt", "Parte 2. O mar"),
        ("pl", "Księga 2. Morze"),
        ("uk", "Частина 2. Море"),
        ("cs", "Kniha 2. Moře"),
    ],
)
def test_a_numbered_heading_stays_whole(language: str, heading: str) -> None:
    assert split(language, heading) == [heading]


@pytest.mark.parametrize("tag", ["ru-RU", "RU", "ru_RU", "ru-Cyrl-RU"])
def test_only_the_primary_subtag_matters(tag: str) -> None:
    assert split(tag, "Это т. е. Пётр. Он тут.") == ["Это т. е. Пётр.", "Он тут."]


@given(
    st.sampled_from([*LISTED, "zh", "ja", "tr", "xx"]),
    st.text(
        alphabet=st.sampled_from(
            list("аБcD1 .!?…,—«»“”\"'()[]\n\u00a0。！」あМ"),
        ),
        max_size=80,
    ),
)
@settings(max_examples=300, deadline=None)
def test_spans_cover_every_character_in_order(language: str, paragraph: str) -> None:
    end = 0
    for start, stop in Splitter(language).spans(paragraph):
        assert not paragraph[end:start].strip()
        assert paragraph[start:stop] == paragraph[start:stop].strip() != ""
        end = stop
    assert not paragraph[end:].strip()


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(piece * (60_000 // len(piece)), id=repr(piece))
        for piece in (
            ".", ". ", "? ", "?!", ". . x ", "a.a.", "A. ", "x", ".[1]", '."', "? “", "。", "あ…",
            ". — ", "Mr. ", "?” Aa ", ".\n", "т. е. ", "1. ", "…", "( ", "\u00a0»",
        )
    ],
)  # fmt: skip
@pytest.mark.parametrize("language", ["ru", "en"])
def test_hostile_paragraphs_take_linear_time(language: str, hostile: str) -> None:
    spans = Splitter(language).spans(hostile)
    assert sum(len(hostile[a:b].split()) for a, b in spans) == len(hostile.split())


SWEDISH = (
    "Då kom lekt. Jansson in och han skrattade högt. Vi såg lekt. Berg i trädgården. "
    "Hustrun till lekt. Lind ropade på oss och sedan gick vi hem. Det var sent. "
)


def test_a_book_teaches_its_own_abbreviations() -> None:
    paragraph = "Där gick lekt. Mattsson förbi. Ingen såg det."
    assert len(split("sv", paragraph)) == 3
    assert split("sv", paragraph, SWEDISH * 40) == [
        "Där gick lekt. Mattsson förbi.",
        "Ingen såg det.",
    ]


def test_a_script_without_capitals_teaches_nothing() -> None:
    paragraph = "그는 갔다. 그녀는 왔다. 비가 왔다."
    assert len(split("ko", paragraph, paragraph * 200)) == 3


def test_nltk_is_imported_only_when_a_full_stop_asks_for_it() -> None:
    code = (
        "import sys; from tts_book.text.sentences import Splitter; "
        "Splitter('en').spans('“Where?” he asked! Why?'); print('nltk' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
