"""Words by which an author says that somebody speaks, and whether a man or a woman."""

from __future__ import annotations

import re
from dataclasses import dataclass

MALE, FEMALE = "male", "female"

# Stems of verbs of speech and thought; endings are open.
_STEMS = {
    "ru": """
        сказа сказыва скажет говор молви спроси спраши переспроси отве[тч] крик крич
        закрич вскри[кч] воскли[кц] шепн шепт прошепт зашепт бормо пробормо забормо
        пролепет лепет прибави прибавля добави добавля замети замеча продолжа возрази
        возража переби прерва подхвати поддакну произн[ео]с проговори заговори выговори
        уговари договори объяви объясни объясня поясни призна повтори повторя проворча
        ворча буркну пробурча рявкну простона застона стона всхлипну вздохну усмехну
        засмея рассмея хохота захохота улыбну ухмыльну хмыкну хихик подума дума решил
        обрати обраща позва звал окликну приказа приказыва велел попроси проси умоля
        взмоли настаи увери уверя убежда согласи соглаша кивну вмеша вступи встави отрез
        отруби процеди прохрипе хрипе визж взвизгну завизж завопи вопи заора ора рева
        заревел загреме прогреме гаркну пискну пропища промолви вымолви протяну тяну начал
        начина кончи заключи осведоми поинтересова удиви изуми испуга обрадова рассерди
        сообщи доложи рассказ распоряди заяви заявля потребова предложи предлага пошути
        шути похвали поблагодари извини поздорова прости попроща напомни намекну отозва
        откликну оборва обиде жалова пожалова мелькну пронесло раздал послыша донес слыша
    """,
    "uk": """
        сказа каза каже мови промови спита пита запита відпові відказа крик закрич вигукну
        гукну шепн шепо прошепо бурмо дода заува продовж запереч переби вимови заговори
        поясни призна повтори буркну зітхну усміхну засмія дума подума вирiши звернув
        наказа попроси погоди озва кивну почав почала відріза
    """,
    "pl": """
        powiedzia rzek odpar odpowiedzi spyta zapyta zawoła krzykn krzycz szepn szepta
        mrukn doda mówi odezwa przerwa wtrąci stwierdzi zauważy pomyśla odrzek westchn
        zaśmia roześmia wyszepta wykrzykn oznajmi wyjaśni przyzna powtórzy zacz ciągn jękn
        warkn uśmiechn
    """,
    "cs": """
        řek odpověd zeptal ptal zvolal křik vykřik šept zašept dodal pravil prohlásil
        poznamenal pomyslel povzdech zasmál opáčil
    """,
    "es": """
        dij dec[ií] respondi contest pregunt grit exclam susurr murmur añadi replic repuso
        coment insisti explic agreg pens continu prosigui interrumpi orden suspir sonri
        admiti asegur observ asinti concluy confes gimi balbuce propuso afirm
    """,
    "fr": """
        dit dis disai demand répond répliqu cri s'écri écri murmur ajout repri fit pens
        souffl chuchot continu interromp interrompi expliqu objecta soupir déclar remarqu
        observ affirm insist avou balbuti ordonn grogn lanç
    """,
    "it": """
        diss dic rispos chies domand grid esclam sussurr mormor aggiuns replic ribatt pens
        continu spieg osserv balbett ordin sospir interrupp fec ammis afferm insist
    """,
    "de": """
        sagt frag antwort rief ruf schrie flüster murmel erwider entgegn meint fügt fuhr
        dacht bemerk erklär versetz seufz lacht brumm knurr stammel stotter befahl bat
        gestand wiederhol unterbrach setzte sprach begann raunt keucht
    """,
    "en": """
        said say says asked asks replied repl answer cried cries shout exclaim whisper
        murmur mutter added adds remark observ continu return rejoin retort interrupt
        interpos began inquir enquir demand declar protest repeat respond call thought
        thinks sigh laugh groan growl scream gasp stammer explain insist announc agreed
        admit snap ejaculat smil mumbl yell pleaded beg urg warn order suggest told tell
        grunt nodded
    """,
}

_MALE_WORDS = {
    "ru": """
        он этот тот старик мужик мальчик юноша парень отец папа дядя дедушка дед брат сын
        муж князь граф барин господин офицер солдат доктор генерал капитан студент
        чиновник купец священник гость хозяин лакей слуга дворник незнакомец король царь
        учитель человек сосед приятель товарищ друг
    """,
    "uk": """
        він старий хлопець батько дід брат син чоловік пан козак
    """,
    "en": """
        he him his
    """,
}
_FEMALE_WORDS = {
    "ru": """
        она эта та старуха старушка баба девушка девочка девица женщина мать мама маменька
        тетка тетя бабушка сестра дочь жена княгиня княжна графиня барыня барышня госпожа
        хозяйка дама служанка горничная няня королева царица учительница незнакомка
        подруга соседка
    """,
    "uk": """
        вона стара дівчина мати баба сестра дочка жінка пані
    """,
    "en": """
        she her hers
    """,
}


@dataclass(frozen=True, slots=True)
class SpeechWords:
    """The patterns of a language. `verb` fits a word of speech at its beginning."""

    verb: re.Pattern[str]
    past: re.Pattern[str] | None
    male: re.Pattern[str] | None
    female: re.Pattern[str] | None

    def is_verb(self, word: str) -> bool:
        """Whether a word says that somebody speaks or thinks."""
        return self.verb.match(word.casefold().replace("ё", "е")) is not None


# Slavic past tense, which tells the sex: -л, -ла, with a reflexive ending.
_PAST = {
    "ru": re.compile(
        r"\A(?:[а-яё]{2,}(?:л(?P<f>а)?|л(?P<n>о|и))(?:ся|сь)?"
        r"|умолк|смолк|замолк|л[её]г|исчез|замер|умер|привстал|поник|возник|затих|утих|притих|вздрогнул"
        r"|пош[её]л|ш[её]л|ел|сел|дал|пил)$"
    ),
    "uk": re.compile(r"\A[а-яіїєґ']{2,}(?:в|л(?P<f>а)|л(?P<n>о|и))(?:ся|сь)?$"),
    "pl": re.compile(r"\A[a-ząćęłńóśźż]{2,}(?:ł(?P<f>a)?|(?:ł(?P<n>o|y)|li))$"),
    "cs": re.compile(r"\A[a-záčďéěíňóřšťúůýž]{2,}(?:l(?P<f>a)?|l(?P<n>o|i|y))$"),
}


def speech_words(language: str) -> SpeechWords | None:
    """The words of a language (its primary subtag); None for one that has none here."""
    return _SPEECH_WORDS.get(language)


def _words(table: dict[str, str], language: str) -> re.Pattern[str] | None:
    words = "|".join(table.get(language, "").split())
    return re.compile(rf"(?:{words})(?!\w)", re.IGNORECASE) if words else None


_SPEECH_WORDS = {
    language: SpeechWords(
        re.compile(f"(?:{'|'.join(stems.split())})"),
        _PAST.get(language),
        _words(_MALE_WORDS, language),
        _words(_FEMALE_WORDS, language),
    )
    for language, stems in _STEMS.items()
}
