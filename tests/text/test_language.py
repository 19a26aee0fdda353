"""Which language a text is in, and what the user calls it."""

from __future__ import annotations

import re
from time import process_time

import pytest

from tts_book.errors import UserError
from tts_book.text.language import MARGIN, detect_language
from tts_book.text.language_tags import parse_language_tag

SENTENCES = {
    "en": "The old man walked slowly down to the river, and his dog went with him as it had done.",
    "de": "Der alte Mann ging langsam zum Fluss hinunter, und sein Hund lief mit ihm, wie immer.",
    "fr": "Le vieil homme descendait lentement vers la rivière et son chien marchait avec lui.",
    "es": "El viejo bajaba despacio hacia el río y su perro iba con él, como todos los días.",
    "pt": "O velho descia devagar para o rio e o seu cão ia com ele, como não podia deixar de ser.",
    "it": "Il vecchio scendeva lentamente verso il fiume e il suo cane andava con lui come sempre.",
    "pl": "Stary człowiek szedł powoli w dół do rzeki, a jego pies szedł z nim, tak jak zawsze.",
    "cs": "Starý muž šel pomalu dolů k řece a jeho pes šel s ním, jako to dělal každý den.",
    "sk": "Keď prišiel k rieke, povedal si, že voda je väčšia ako včera, a že loď už nie je.",
    "nl": "De oude man liep langzaam naar de rivier en zijn hond ging met hem mee, zoals altijd.",
    "sv": "Den gamle mannen gick långsamt ner till floden och hans hund följde med honom som förr.",
    "da": "Den gamle mand gik af sted ned til floden, og hans hund blev hos ham efter det.",
    "no": "Den gamle mannen gikk langsomt ned til elven, og hunden hans ble med ham etter det.",
    "fi": "Vanha mies käveli hitaasti alas joelle, ja hänen koiransa oli hänen kanssaan.",
    "hu": "Az öreg ember lassan lement a folyóhoz, és a kutyája vele ment, ahogy azt minden nap.",
    "ro": "Bătrânul cobora încet spre râu și câinele lui mergea cu el, așa cum făcuse și ieri.",
    "tr": "Yaşlı adam yavaşça nehre doğru yürüdü ve köpeği her gün olduğu gibi onunla gitti.",
    "uk": "Старий чоловік повільно йшов до річки, і його пес ішов з ним, як він це робив щодня.",
    "ru": "Старик медленно шёл к реке, и собака шла вместе с ним, как это было каждый день.",
    "be": "Стары чалавек павольна ішоў да ракі, і яго сабака ішоў з ім, як ён гэта рабіў заўсёды.",
    "bg": "Старият човек вървеше бавно към реката и кучето му вървеше с него, както всеки ден.",
    "sr": "Старац је полако ишао ка реци и његов пас је ишао са њим, као што је то чинио увек.",
    "mk": "Старецот полека одеше кон реката и неговото куче одеше со него, како секој ден.",
    "ja": "老人は川へゆっくり歩いていった。犬も一緒だった。",
    "zh": "老人慢慢地走到河边，他的狗跟着他。",
    "ko": "노인은 천천히 강으로 걸어갔다.",
    "el": "Ο γέρος περπατούσε αργά προς το ποτάμι.",
    "he": "הזקן הלך לאט אל הנהר.",
    "ar": "كان الرجل العجوز يسير ببطء نحو النهر.",
    "fa": "پیرمرد آهسته به سوی رودخانه رفت و گفت چرا.",
    "hi": "बूढ़ा आदमी धीरे धीरे नदी की ओर चला गया।",
    "th": "ชายชราเดินช้าๆ ไปที่แม่น้ำ",
    "ka": "მოხუცი ნელა მიდიოდა მდინარისკენ.",
    "hy": "Ծերունին դանդաղ քայլում էր դեպի գետը:",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_told(language: str) -> None:
    guess = detect_language(SENTENCES[language] * 3)
    assert (guess.language, guess.margin >= MARGIN) == (language, True), guess


@pytest.mark.parametrize("text", ["", "123 456", "Zxq", "Hello world", "…", "Ok"])
def test_too_little_is_not_guessed(text: str) -> None:
    assert detect_language(text).margin < MARGIN


# Short texts in languages that look alike at first sight: right, or not sure.
SHORT = (
    ("cs", "Včera večer jsme šli domů pozdě."),
    ("cs", "Děti si hrály na zahradě a maminka vařila oběd."),
    ("cs", "Nevím, kde jsem nechal svoje klíče."),
    ("fr", "Elle a fermé la porte sans bruit."),
    ("fr", "Le petit chien courait dans la rue."),
    ("fr", "Où est la gare ?"),
    ("es", "No sé dónde he dejado las llaves."),
    ("hu", "Nem tudom, hol vannak a kulcsaim."),
    ("sk", "Neviem, kde som nechal kľúče."),
    ("bg", "Котката спи на стола."),
    ("sr", "Мачка спава на столици."),
    ("en", "I've finished practising."),
    ("ro", "Nu știu unde sunt cheile mele."),
    ("pt", "O velho moinho está fechado há anos."),
    ("ru", "Наберите make build, потом docker compose up -d && git push origin main -m 'x'."),
)


@pytest.mark.parametrize(("language", "text"), SHORT)
def test_a_short_text_is_never_taken_for_another_language(language: str, text: str) -> None:
    guess = detect_language(text)
    assert guess.language == language or guess.margin < MARGIN


def test_commands_do_not_make_a_text_english() -> None:
    text = (
        "Чтобы получить изменения, выполните первую команду, а потом вторую.\n\n"
        "git fetch --all --prune && git rebase origin/main --autostash --interactive\n\n"
        "docker run --rm -it --volume /home/user/project:/work --workdir /work image bash\n\n"
        "После этого нажмите клавишу ввода и подождите, пока не появится приглашение.\n\n"
        "pip install --upgrade --requirement requirements.txt --constraint constraints.txt\n"
    )
    guess = detect_language(text * 3)
    assert (guess.language, guess.margin >= MARGIN) == ("ru", True)


@pytest.mark.parametrize("word", ["a", "o", "and", "de la"])
def test_a_foreign_word_in_a_book_asks_nothing(word: str) -> None:
    guess = detect_language(SENTENCES["ru"] * 50 + f" {word} " + SENTENCES["ru"] * 50)
    assert (guess.language, guess.margin >= MARGIN) == ("ru", True)


@pytest.mark.parametrize(("book", "quoted"), [("ru", "fr"), ("en", "ru"), ("uk", "ru")])
def test_a_foreign_passage_does_not_switch(book: str, quoted: str) -> None:
    text = SENTENCES[book] * 30 + SENTENCES[quoted] * 9 + SENTENCES[book] * 20
    guess = detect_language(text)
    assert (guess.language, guess.margin >= MARGIN) == (book, True)


# Texts drawn by their paragraphs: a language, or several in one, and how many sentences of each.
MIXED = [
    (["ru 1", "ru 1", "fr 9", "ru 1"], "ru"),  # a letter in the middle
    (["fr 4", "ru 1", "ru 1", "ru 1", "ru 1"], ""),  # an epigraph, or a comment?
    (["ru 1 «fr 2»"], "ru"),
    (["ru 1 «fr 2»", "ru 1 «fr 2»"], "ru"),
    (["ru 5", *["fr 1"] * 8, "ru 5"], "ru"),  # a poem of many stanzas
    (["ru 1", *["fr 5"] * 9, "ru 1"], "fr"),  # a title and an imprint
    (["en 3", "ru 1", "en 3", "ru 1", "en 3"], "en"),  # a primer
    (["ja 9", "en 9", "ja 9"], "ja"),
    (["fr 5"] * 80, "fr"),
    ([*["ru 5"] * 60, *["fr 1"] * 200], "ru"),  # long: what is most decides
]


@pytest.mark.parametrize(("drawn", "language"), MIXED)
def test_a_long_quotation_does_not_switch_a_short_text(drawn: list[str], language: str) -> None:
    def written(found: re.Match[str]) -> str:
        return " ".join([SENTENCES[found[1]]] * int(found[2]))

    text = "\n\n".join(re.sub(r"(\w\w) (\d+)", written, paragraph) for paragraph in drawn)
    guess = detect_language(text)
    assert (guess.language if guess.margin >= MARGIN else "") == language, guess


# Letters that are written alike in several languages, and a few borrowed ones.
ARABIC = [
    ("fa", "پیرمرد آهسته به سوی رودخانه رفت."),
    ("fa", "او هر روز با سگ خود به کنار رودخانه می‌رفت و شب به خانه برمی‌گشت."),
    ("fa", "او هر روز با سگ خود به كنار رودخانه مي‌رفت و چيزي نمي‌گفت."),  # typed in Arabic letters
    ("fa", "مسأله این است که باران هنوز می‌بارد."),
    ("ar", "ذهب الرجل إلى النهر مع كلبه كل يوم، ثم عاد إلى البيت في المساء."),
    ("ar", "سافر إلى مدينة پاریس في السنة الأولى وعاد إلى القرية الصغيرة."),
    ("ar", "كان الولد يلعب مع كلب."),
    ("ur", "بوڑھا آدمی آہستہ آہستہ دریا کی طرف چلا گیا اور اس کا کتا اس کے ساتھ تھا۔"),
    ("ps", "زوړ سړی ورو ورو د سیند پر لور روان شو او سپی یې ورسره و."),
]


@pytest.mark.parametrize(("language", "text"), ARABIC)
def test_languages_in_arabic_letters_are_told_apart(language: str, text: str) -> None:
    assert detect_language(text).language == language


def test_a_few_words_of_urdu_make_no_urdu_of_a_book() -> None:
    assert detect_language(SENTENCES["fa"] * 60 + "بوڑھے آدمی نے کہا").language == "fa"


def test_a_huge_text_is_sampled() -> None:
    text = SENTENCES["ru"] * 60_000
    start = process_time()
    assert detect_language(text).language == "ru"
    assert process_time() - start < 2


@pytest.mark.parametrize(
    ("given", "written"),
    [("ru", "ru"), ("RU", "ru"), ("pt_br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW"), ("yue", "yue")],
)
def test_codes_are_written_one_way(given: str, written: str) -> None:
    assert parse_language_tag(given) == written


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("russian", "did you mean ru?"),
        ("rusian", "did you mean ru?"),
        ("русский", "did you mean ru?"),
        ("jp", "did you mean ja?"),
        ("x", "give a code"),
        ("", "give a code"),
        ("../etc", "give a code"),
    ],
)
def test_what_is_no_code_is_refused_with_a_hint(given: str, hint: str) -> None:
    with pytest.raises(UserError, match="unknown language") as error:
        parse_language_tag(given)
    assert hint in str(error.value)
