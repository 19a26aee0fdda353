"""Words, sentences and headings in many languages and scripts, for texts that are made up."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language: everyday words, what ends its sentences, what a chapter is called, and how
    direct speech is opened and closed. `joint` stands between words."""

    code: str
    words: tuple[str, ...]
    chapter: str
    ends: str = "....?!"
    opens: str = "“"
    closes: str = "”"
    joint: str = " "
    comma: str = ","


def _tongue(code: str, words: str, chapter: str, **more: str) -> Tongue:
    return Tongue(code, tuple(words.split()), chapter, **more)


_GUILLEMETS = {"opens": "«", "closes": "»"}
_LOW = {"opens": "„", "closes": "“"}
_CHINESE = {"ends": "。。。？！", "opens": "「", "closes": "」", "joint": "", "comma": "，"}

TONGUES = (
    _tongue(
        "ru",
        "и в не он она что это было дом река старик собака шёл сказал потом никогда снова ночь "
        "вечером дорога огонь письмо друг тихо где-то когда море ветер если бы уже совсем окно",
        "Глава",
        **_GUILLEMETS,
    ),
    _tongue(
        "en",
        "the and of a to was in he she that it had with house river old dog walked said then "
        "never again night evening road fire letter friend quiet somewhere sea wind window",
        "Chapter",
    ),
    _tongue(
        "de",
        "der die und das nicht war mit ein sie er Haus Fluss alte Hund ging sagte dann niemals "
        "wieder Nacht Abend Straße Feuer Brief Freund leise irgendwo Meer Wind Fenster über für",
        "Kapitel",
        **_LOW,
    ),
    _tongue(
        "fr",
        "le la les et de un une était dans il elle que maison rivière vieux chien marchait dit "
        "puis jamais encore nuit soir route feu lettre ami quelque où mer vent fenêtre l'été",
        "Chapitre",
        **_GUILLEMETS,
    ),
    _tongue(
        "es",
        "el la los y de un una era en él ella que casa río viejo perro caminaba dijo luego nunca "
        "otra noche tarde camino fuego carta amigo mar viento ventana también después mañana",
        "Capítulo",
        **_GUILLEMETS,
    ),
    _tongue(
        "uk",
        "і в не він вона що це було дім річка старий пес ішов сказав потім ніколи знову ніч їхав "
        "ввечері дорога вогонь лист друг тихо десь коли море вітер якби вже зовсім вікно її",
        "Розділ",
        **_GUILLEMETS,
    ),
    _tongue(
        "pl",
        "i w nie on ona że to było dom rzeka stary pies szedł powiedział potem nigdy znowu noc "
        "wieczorem droga ogień list przyjaciel cicho gdzieś kiedy morze wiatr już całkiem okno",
        "Rozdział",
        opens="„",
    ),
    _tongue(
        "it",
        "il la i e di un una era in lui lei che casa fiume vecchio cane camminava disse poi mai "
        "ancora notte sera strada fuoco lettera amico piano dove mare vento finestra perché più",
        "Capitolo",
        **_GUILLEMETS,
    ),
    _tongue(
        "pt",
        "o a os e de um uma era em ele ela que casa rio velho cão andava disse depois nunca outra "
        "noite tarde caminho fogo carta amigo mar vento janela não também então manhã coração",
        "Capítulo",
    ),
    _tongue(
        "cs",
        "a v ne on ona že to bylo dům řeka starý pes šel řekl potom nikdy znovu noc večer cesta "
        "oheň dopis přítel tiše někde když moře vítr už docela okno který jeho ještě světlo",
        "Kapitola",
        **_LOW,
    ),
    _tongue(
        "tr",
        "ve bir bu o da için ev nehir yaşlı köpek yürüdü dedi sonra hiç yine gece akşam yol ateş "
        "mektup arkadaş sessiz deniz rüzgâr pencere çok gibi ışık şehir değil olduğu kadar",
        "Bölüm",
    ),
    _tongue(
        "kk",
        "және бір бұл ол да үшін үй өзен қарт ит жүрді деді содан ешқашан қайта түн кеш жол от "
        "хат дос тыныш теңіз жел терезе өте сияқты жарық қала емес болған дейін ғана әлі",
        "Тарау",
        **_GUILLEMETS,
    ),
    _tongue(
        "zh",
        "他 她 我们 的 了 在 河 边 老 人 走 房子 说 夜 里 路 火 信 朋友 海 风 窗",
        "第",
        **_CHINESE,
    ),
    _tongue(
        "ja",
        "彼 は 川 の 老人 が 歩いた 家 と 言った 夜 に 道 火 手紙 友 海 風 窓 を",
        "第",
        **_CHINESE,
    ),
    _tongue(
        "ko",
        "그는 강가에 노인이 걸었다 집 말했다 밤에 길 불 편지를 친구 바다 바람 창문 다시",
        "장",
    ),
    _tongue(
        "ar",
        "و في من على كان البيت النهر الرجل القديم قال ثم أبدا الليل المساء الطريق النار رسالة "
        "صديق البحر الريح نافذة هذا التي كل",
        "الفصل",
        ends="...؟!",
        comma="،",
        **_GUILLEMETS,
    ),
    _tongue(
        "he",
        "הוא היא לא של על בית נהר זקן כלב הלך אמר אז לילה ערב דרך אש מכתב חבר ים רוח",
        "פרק",
    ),
    _tongue(
        "hi",
        "और में नहीं वह यह था घर नदी बूढ़ा कुत्ता चला कहा फिर कभी रात शाम रास्ता आग चिट्ठी "
        "दोस्त समुद्र हवा खिड़की",
        "अध्याय",
        ends="।।।?!",
    ),
    _tongue(
        "th",
        "เขา เธอ และ ไม่ บ้าน แม่น้ำ คนแก่ เดิน พูด แล้ว กลางคืน ถนน ไฟ จดหมาย เพื่อน ทะเล ลม",
        "บทที่",
        ends="    ",
        joint="",
    ),
    _tongue(
        "el",
        "και το η ο ήταν σπίτι ποτάμι γέρος σκύλος είπε μετά ποτέ νύχτα δρόμος φωτιά γράμμα",
        "Κεφάλαιο",
        ends="...;!",
    ),
    _tongue(
        "ka",
        "და არ ის ეს იყო სახლი მდინარე მოხუცი ძაღლი თქვა მერე არასოდეს ღამე გზა ცეცხლი",
        "თავი",
    ),
    _tongue(
        "hy",
        "և ոչ նա այս էր տուն գետ ծեր շուն ասաց հետո երբեք գիշեր ճանապարհ կրակ նամակ",
        "Գլուխ",
        ends="։։։",
    ),
    _tongue(
        "am",
        "እና ውስጥ አይደለም እሱ ቤት ወንዝ ሽማግሌ ውሻ አለ ከዚያ ሌሊት መንገድ እሳት ደብዳቤ ጓደኛ ባህር",
        "ምዕራፍ",
        ends="።።።",
    ),
    _tongue(
        "vi",
        "và của một là không người nhà sông già chó đi nói rồi đêm đường lửa thư bạn biển gió",
        "Chương",
    ),
)

ABBREVIATIONS = (
    *("т. е.", "т. д.", "и т. п.", "г.", "гг.", "ул. Лесная, д. 5", "А. С. Пушкин", "им.", "№ 5"),
    *("Mr. Fox", "Dr. Smith", "e.g.", "i.e.", "J. R. R. Tolkien", "U.S.A.", "p.m.", "St. Paul"),
    *("z. B.", "d. h.", "usw.", "Nr. 7", "5. Mai", "M. Dupont", "p. ex.", "Sr. López", "EE. UU."),
    *("n.p.", "im. Jana", "prof. Nowak", "vol. II", "fig. 3", "cf.", "etc.", "C++", "GitHub"),
)
NUMBERS = (
    *("5", "1998", "3,14", "12.05.1998", "10:30", "1 000 000", "50 %", "5%", "$4.99", "₽500"),
    *("XIX", "IV", "№7", "§ 12", "+7 (900) 000-00-00", "1/2", "½", "10⁶", "20 м²", "−5 °C", "#3"),
    *("1-й", "2nd", "5.", "1.2.3", "100€", "0x1F", "1e-9", "[12]", "{7}", "¹", "12²"),
)
ADDRESSES = (
    *("https://example.org/a/b?c=d&e=%20f#g", "www.example.com", "mail@example.org", "ftp://x.y/z"),
    *("C:\\Temp\\a.txt", "/usr/lib/x.so", "@name", "#tag", "example.org", "10.5281/zenodo.1"),
)
HEADINGS = (
    *("Пролог", "Prologue", "Эпилог", "ЧАСТЬ ПЕРВАЯ", "Part Two", "Том II", "BOOK THE FIRST"),
    *("Содержание", "Contents", "Notes", "Примечания", "Index", "I", "II", "III", "1", "2", "3."),
    *("Глава двадцать первая", "CHAPTER IV. In which it rains", "Erstes Buch", "3. Kapitel"),
    *("* * *", "***", "⁂", "—", "§ 5", "Действие I", "Письмо 3", "Copyright", "The End", "Конец"),
)


def sentence(chance: random.Random, tongue: Tongue, most: int = 18) -> str:
    """Words in a row, with a capital, some commas and an end."""
    said = chance.choices(tongue.words, k=chance.randint(2, most))
    if len(said) > 7 and tongue.joint:
        said[chance.randrange(2, len(said) - 1)] += tongue.comma
    text = tongue.joint.join(said)
    return text[:1].upper() + text[1:] + chance.choice(tongue.ends)


def paragraph(chance: random.Random, tongue: Tongue, most: int = 9) -> str:
    """Sentences in a row."""
    joint = " " if tongue.joint else ""
    return joint.join(sentence(chance, tongue) for _ in range(chance.randint(1, most)))


def heading(chance: random.Random, tongue: Tongue, number: int) -> str:
    """A chapter's heading in one of its many forms."""
    word = tongue.chapter
    if tongue.code in ("zh", "ja"):
        return f"第{number}章"
    title = " ".join(chance.choices(tongue.words, k=3))
    forms = (f"{word} {number}", f"{word.upper()} {number}", f"{word} {number}. {title}", title)
    return chance.choice(forms)
