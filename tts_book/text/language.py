"""Which language a book is in: by its script, by letters that tell, by its everyday words.

The whole book is asked, in even samples, so neither a quotation nor a long passage in another
language decides; in a short text its paragraphs have a say, too, long or short. A guess comes with
its margin; below `MARGIN` it is better to ask.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

MARGIN = 0.15
"""How far the best guess must lead over the second, as a share of the best: 0.15 keeps Danish
and Norwegian apart on a page, and rejects a few words of anything."""

_SCRIPTS: tuple[tuple[int, int, str], ...] = (
    (0x41, 0x24F, "Latin"), (0x370, 0x3FF, "el"), (0x400, 0x52F, "Cyrillic"),
    (0x530, 0x58F, "hy"), (0x590, 0x5FF, "he"), (0x600, 0x6FF, "Arabic"),
    (0x900, 0x97F, "hi"), (0x980, 0x9FF, "bn"), (0xA00, 0xA7F, "pa"), (0xA80, 0xAFF, "gu"),
    (0xB80, 0xBFF, "ta"), (0xC00, 0xC7F, "te"), (0xC80, 0xCFF, "kn"), (0xD00, 0xD7F, "ml"),
    (0xD80, 0xDFF, "si"), (0xE00, 0xE7F, "th"), (0xE80, 0xEFF, "lo"), (0x1000, 0x109F, "my"),
    (0x10A0, 0x10FF, "ka"), (0x1100, 0x11FF, "ko"), (0x1200, 0x139F, "am"),
    (0x1780, 0x17FF, "km"), (0x1C90, 0x1CBF, "ka"), (0x1E00, 0x1EFF, "Latin"),
    (0x1F00, 0x1FFF, "el"), (0x3040, 0x30FF, "kana"), (0x3400, 0x4DBF, "Han"),
    (0x4E00, 0x9FFF, "Han"), (0xAC00, 0xD7AF, "ko"), (0x20000, 0x3FFFF, "Han"),
)  # fmt: skip
_SAMPLE, _PIECES = 240_000, 60  # characters asked at most, in as many pieces
_LEAST_LETTERS = 8
_WORD = re.compile(r"[^\W\d_]+")
_TELLING = 0.4  # what letters of its own are worth against everyday words
_LETTERS_AS_WORDS = 10  # a text full of letters of its own is as good as four everyday words
_FEW_LATIN, _FEW_CYRILLIC = 4, 2  # everyday words: fewer of them prove little
_NO_PROSE = 0.4  # of the everyday words that another script has: not the language of the text
_FEW_WORDS = 0.05  # of those of the main script: a letter or a word tells nothing
_WEAK = 0.2  # of the words are everyday ones in hardly any prose
_ONCE = 0.7  # one such letter in all may be a name or a slip
_OFTEN = 0.02  # share of the letters at which they count in full
_QUOTED = re.compile(r'«[^«»]*»|“[^“”]*”|„[^„“”]*[“”]|"[^"]*"')
_SHORT = 20_000  # letters of a text in which a quotation may be longer than the rest
_VOICE = 150  # letters of a paragraph that count where paragraphs are asked
_FRAMED = 0.3  # the lead of what a text begins and ends with over a long quotation in it
_URDU, _PASHTO = "ٹڈڑںے", "ټډړښږېۍځڅڼ"
_PERSIAN, _NOT_PERSIAN = "پچژگکی", "ةأإى"


@dataclass(frozen=True, slots=True)
class Guess:
    """`language` is a BCP 47 code, empty where there is nothing to go by. `margin` is its lead
    over the second best, 0 to 1; `why` names what it was seen by."""

    language: str
    margin: float
    why: str
    second: str = ""


@dataclass(frozen=True, slots=True)
class _Scored:
    """A guess, how many words there are, and the share of everyday ones of that language."""

    guess: Guess
    words: int
    known: float


def detect_language(text: str) -> Guess:
    """The language of `text`, whose paragraphs are parted by blank lines, asked in at most 240,000
    characters spread evenly over it."""
    sample = _spread(text).lower()
    letters = Counter(sample)
    scripts = _scripts(letters)
    total = sum(scripts.values())
    if total < _LEAST_LETTERS:
        return Guess("", 0.0, "too few letters")
    script, second, lead = _main_script(sample)
    if script == "Han":
        return Guess(_east_asian(scripts), max(lead, 0.5), "its script")
    if script == "Arabic":
        return Guess(_arabic(letters), lead, "its script")
    if script not in ("Latin", "Cyrillic"):
        return Guess(script, lead, "its script")
    own = _by_words(sample, letters, script)
    guess, other = own.guess, None
    if second in ("Latin", "Cyrillic"):
        other = _by_words(sample, letters, second)
        is_prose = other.words >= _FEW_WORDS * own.words
        if is_prose and own.known < _NO_PROSE * other.known:
            # Commands, names and formulas may be longer than the sentences around them.
            return Guess(other.guess.language, min(_FRAMED, other.guess.margin), "the text")
        if is_prose and own.known < _WEAK and script == "Latin":
            lead = 0.0  # commands and names, in which a few words look like everyday ones
    if other is not None and lead < min(MARGIN, guess.margin):
        return Guess(guess.language, lead, guess.why, other.guess.language)
    return Guess(guess.language, min(lead, guess.margin), guess.why, guess.second)


def _spread(text: str) -> str:
    if len(text) <= _SAMPLE:
        return text
    size, step = _SAMPLE // _PIECES, len(text) // _PIECES
    return "\n".join(text[at * step : at * step + size] for at in range(_PIECES))


def _main_script(sample: str) -> tuple[str, str, float]:
    """The script of a text, the second one, and the lead of the first. What is quoted counts for a
    third. Where in a short text many small paragraphs stand against few great ones, that is its
    own which stands at both ends; the other is a quotation."""
    sizes, voices, order = Counter[str](), Counter[str](), list[str]()
    for paragraph in sample.split("\n\n"):
        found = _scripts(Counter(paragraph))
        for script, count in _scripts(Counter(_QUOTED.sub(" ", paragraph))).items():
            found[script] += 2 * count
        if found:
            found["Han"] += found.pop("kana", 0)
            whole = max(found.total(), 3 * _VOICE)
            sizes.update(found)
            voices.update({script: 3_000 * count // whole for script, count in found.items()})
            order.append(found.most_common(1)[0][0])
    (first, _), *others = sizes.most_common(2)
    (loudest, _), *_ = voices.most_common(1)
    second = others[0][0] if others else ""
    if first == loudest or sizes.total() > 3 * _SHORT:
        return first, second, _lead(sizes)
    if order[0] == order[-1] in (first, loudest):
        return order[0], second if order[0] == first else first, _FRAMED
    return first, loudest, 0.0


def _lead(counts: Counter[str]) -> float:
    (_, most), *others = counts.most_common(2)
    return (most - (others[0][1] if others else 0)) / most


def _scripts(letters: Mapping[str, int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for letter, count in letters.items():
        if letter.isalpha():
            found[_script(ord(letter))] += count
    del found[""]
    return found


@cache
def _script(code: int) -> str:
    return next((name for low, high, name in _SCRIPTS if low <= code <= high), "")


def _east_asian(scripts: Mapping[str, int]) -> str:
    return "ja" if scripts.get("kana", 0) > 0.05 * scripts.get("Han", 0) else "zh"


def _arabic(letters: Mapping[str, int]) -> str:
    def share(own: str) -> float:
        return sum(letters.get(c, 0) for c in own) / total

    total = sum(count for letter, count in letters.items() if letter.isalpha())
    if max(share(_URDU), share(_PASHTO)) > _OFTEN / 2:
        return "ur" if share(_URDU) > share(_PASHTO) else "ps"
    return "fa" if share(_PERSIAN) > 2 * share(_NOT_PERSIAN) else "ar"


def _by_words(sample: str, letters: Mapping[str, int], script: str) -> _Scored:
    is_latin = script == "Latin"
    words = Counter(
        word for word in _WORD.findall(sample) if (_script(ord(word[0])) == "Latin") is is_latin
    )
    total = max(1, sum(words.values()))
    hits = {
        language: sum(words[word] for word in known)
        for language, known in (LATIN if is_latin else CYRILLIC).items()
    }
    tell = _telling(letters, LATIN_LETTERS if is_latin else CYRILLIC_LETTERS)
    odd = _telling(letters, _odd_letters() if is_latin else CYRILLIC_FOREIGN)
    scores = {
        language: count / total + tell.get(language, 0.0) - 2 * odd.get(language, 0.0)
        for language, count in hits.items()
    }
    if not is_latin:
        scores["ru"] += 0.08  # by far the most of what is written in this script
    (best, high), (second, low) = sorted(scores.items(), key=lambda s: -s[1])[:2]
    if high <= 0.03:
        guess = Guess("", 0.0, "no word of a language that is known here")
        return _Scored(guess, total, max(hits.values()) / total)
    # A few words prove little, and words that no list knows prove nothing.
    certain = min(1.0, total / (12 if is_latin else 6))
    known = hits[best] + _LETTERS_AS_WORDS * tell.get(best, 0.0)
    certain *= min(1.0, known / (_FEW_LATIN if is_latin else _FEW_CYRILLIC))
    margin = min(1.0, (high - max(low, 0.0)) / max(high, 0.2)) * certain
    return _Scored(Guess(best, margin, "the text", second), total, hits[best] / total)


@cache
def _odd_letters() -> dict[str, str]:
    """For each language in Latin letters those that it does not write, but others do."""
    every = frozenset("".join(LATIN_ALPHABETS.values())) - frozenset("·ªº¿¡")
    return {name: "".join(every - set(own)) for name, own in LATIN_ALPHABETS.items()}


def _telling(letters: Mapping[str, int], known: Mapping[str, str]) -> dict[str, float]:
    """How much each language's own letters say, from 0 to `_TELLING`."""
    total = sum(count for letter, count in letters.items() if letter.isalpha())
    counts = {name: sum(letters.get(c, 0) for c in own) for name, own in known.items()}
    return {
        name: _TELLING * min(1.0, max(0.0, count - _ONCE) / total / _OFTEN)
        for name, count in counts.items()
    }


# What gives a language away: its short everyday words, and letters that few others have.


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CYRILLIC = {
    "ru": _words(
        "и в не на я что он с как а то это его по к у из но она так за был ее её мне было вы же "
        "от меня бы о ты еще ещё мы всё все для только когда был была были или если уже чем "
        "который которая которые этого быть может нет даже ничего себя себе есть этот тут там "
        "со при до них ему ей их вот где раз сказал после перед над под без"
    ),
    "uk": _words(
        "і й в у не на що я він з як а це його по до та але вона так за був її мені було ви же "
        "від мене б про ти ще ми все для тільки коли була були або якщо вже ніж який яка які "
        "цього бути може ні навіть нічого себе собі є цей тут там зі при них йому їй їх ось де "
        "раз сказав після перед над під без"
    ),
    "be": _words(
        "і ў у не на што я ён з як а гэта яго па да ці але яна так за быў яе мне было вы ж ад "
        "мяне б пра ты яшчэ мы ўсё для толькі калі была былі або калі ўжо чым які якая якія "
        "гэтага быць можа нават нічога сябе сабе ёсць гэты тут там іх яму вось дзе раз сказаў"
    ),
    "bg": _words(
        "и в не на аз че той с как а то това го по към у от но тя така за беше я ми е вие ли ме "
        "би ти още ние всичко само когато бяха или ако вече който която които този тази са със "
        "се да ще до тях му й им ето където бил съм си като какво след пред над под без няма"
    ),
    "sr": _words(
        "и у не на ја да он с како а то је га по к од али она тако за био јој ми било ви ли мене "
        "би ти још ми све само када била били или ако већ који која које овај сам се са су до "
        "њих му их ево где рекао после пред над под без што шта није бити нешто нисам"
    ),
    "mk": _words(
        "и во не на јас дека тој со како а тоа го по кон од но таа така за беше ја ми е вие ли ме "
        "би ти уште ние сѐ само кога беа или ако веќе кој која кои овој сум се да ќе до нив му им "
        "еве каде рече по пред над под без што нема"
    ),
    "kk": _words(
        "мен да де бір бұл ол және үшін деп бар еді екен емес мен сен біз сол осы не кейін дейін "
        "оның менің жоқ болды келді туралы сияқты"
    ),
}

CYRILLIC_LETTERS = {
    "ru": "ыэёѣ",
    "uk": "іїєґ",
    "be": "ўіыэё",
    "bg": "ъ",
    "sr": "ђјљњћџ",
    "mk": "ѓќѕјљњџ",
    "kk": "әғқңөұүһ",
}
CYRILLIC_FOREIGN = {
    "ru": "іїєґўђјљњћџѓќѕәғқңұүһ",
    "uk": "ыэъёўђјљњћџѓќѕәғқңұүһ",
    "be": "ищъїєґђјљњћџѓќѕәғқңұүһ",
    "bg": "ыэёіїєґўђјљњћџѓќѕәғқңұүһ",
    "sr": "ыэъёйщьюяіїєґўѓќѕәғқңұүһ",
    "mk": "ыэъёйщьюяіїєґўђћәғқңұүһ",
    "kk": "їєґўђјљњћџѓќѕ",
}

LATIN = {
    "en": _words(
        "the and of to a in that he was it his is with as i had for at on you not be her but she "
        "by have from which they all this were so an or there one when what been if would who "
        "them no my we will said out up into could your me then do than some its our more their "
        "about him are did like only now any time after before over where how"
    ),
    "de": _words(
        "der die und in das zu den nicht er ich sie ist es mit sich ein von dem war auf so eine "
        "des als auch an wie im für aber hatte ihm ihr noch wenn nur man um aus wir was nach bei "
        "oder einen einem einer daß dass sein wird doch mir mich sind vor schon hat zum zur über "
        "durch ihn denn bis unter haben kann wieder da werden"
    ),
    "fr": _words(
        "de la le et les à l un une des en que qui il elle ne pas d je se du dans ce son sa vous "
        "au plus par sur est avec pour qu lui était mais on nous tout ses si comme cette avait y "
        "ou bien me leur être fait sans où aux même deux dit ces quand c n s j m mon ma mes très "
        "sont puis encore moi"
    ),
    "es": _words(
        "de la que el en y a los se no un del las por con una su lo le al más como pero sus para "
        "es había me era si ya yo sin mi él ella todo esta este cuando muy nos te o qué porque "
        "entre hasta sobre también dos ni fue ha eso así desde bien ser tan usted había son donde "
        "estaba hay"
    ),
    "pt": _words(
        "de a o que e do da em um para com não uma os no se na por mais as dos como mas ao ele "
        "das à seu sua ou quando muito nos já eu também só pelo pela até isso ela entre depois "
        "sem mesmo aos seus quem nas me esse eles você essa num nem suas meu às minha foi era "
        "são está tinha havia lhe ser há ainda já tão então anos sobre"
    ),
    "it": _words(
        "di e che la il un a per in non una è con si da le i del lo della ma al come più gli mi "
        "se era nel o dei anche alla suo sua ha ci io lui dal ne dalla delle sono questo quella "
        "quel aveva tutto così poi quando già cosa disse degli nella loro ancora due chi fu senza "
        "sempre ed perché tutti"
    ),
    "pl": _words(
        "i w nie na się z do to że a jest o jak po co tak za od ale go przez tylko jego jej już "
        "był ja czy było dla ten ze sobie mu mnie była przy jeszcze tego który która które ich "
        "gdy pan pod przed jeśli może nic być bardzo bo by są był jako kiedy nad bez nawet ma"
    ),
    "cs": _words(
        "a se v na je že to s z do i ve si o jako ale byl by za k tak jeho po když co už jsem od "
        "pro jak ho která který které není jen nebo bylo byla jsou mu ještě před být až při ze "
        "ten své má jsme ne tu jeho také kde jej nic proto protože podle která měl asi než"
    ),
    "sk": _words(
        "a sa v na je že to s z do i vo si o ako ale bol by za k tak jeho po keď čo už som od pre "
        "ho ktorá ktorý ktoré nie len alebo bolo bola sú mu ešte pred byť až pri zo ten svoje má "
        "sme tu aj kde nič preto pretože podľa mal asi než však iba"
    ),
    "hr": _words(
        "i u je se na da ne za su od s a o što kao po iz ali ga to bio kako bi sam bila samo već "
        "još nije koji koja koje ili kad kada jer mu ja bilo sve do ako tako biti njegov nego "
        "ona on me mi ti te pod pred nad bez šta gdje gde nisam ima"
    ),
    "sl": _words(
        "je in se v na da ne za so bi od s z o kot po iz pa ga to bil kako sem bila samo že še ni "
        "ki ali ko ker mu jaz bilo vse do če tako biti njegov nego ona on me mi ti pod pred brez "
        "kaj kje ima pri tudi sta bo kar"
    ),
    "nl": _words(
        "de het een en van ik te dat die in hij niet zijn is op aan met als voor had er maar om "
        "hem dan zou of wat mijn men dit zo door over ze zich bij ook tot je mij uit der daar "
        "haar naar heb hoe heeft hebben deze u want nog zal me zij nu geen was werd kon wel"
    ),
    "sv": _words(
        "och i att det som en på är av för med till den han har inte om ett jag men var sig så "
        "hade vi från hon de du kan när sin vid sina där mig honom skulle då ut över efter upp "
        "nu under ville eller vad hans ingen hur mot varit något mycket bara genom utan kom"
    ),
    "da": _words(
        "og i at det som en på er af for med til den han har ikke om et jeg men var sig så havde "
        "vi fra hun de du kan når sin ved sine der mig ham skulle da ud over efter op nu under "
        "ville eller hvad hans ingen hvor mod været noget meget bare uden kom blev nogle"
    ),
    "no": _words(
        "og i å det som en på er av for med til den han har ikke om et jeg men var seg så hadde "
        "vi fra hun de du kan når sin ved sine der meg ham skulle da ut over etter opp nå under "
        "ville eller hva hans ingen hvor mot vært noe mye bare uten kom ble noen at"
    ),
    "fi": _words(
        "ja on ei se että hän oli en ne mutta niin kun joka minä kuin hänen olen vain jos myös "
        "sen mitä nyt tämä oli olla ovat siitä mikä sitä minun sinä sinun tai vielä kuten ollut "
        "jo kanssa ennen mutta sitten hyvin kaikki nämä ole hänet siellä me he te"
    ),
    "hu": _words(
        "a az és hogy nem is egy volt de azt ez mint csak meg el már ki ha mert még vagy ezt van "
        "fel én ő le mi úgy lehet nagy ott olyan minden most aki ami amely ezek után majd sem "
        "neki mondta mit te itt be pedig akkor két így"
    ),
    "ro": _words(
        "și în de a la cu pe nu că o un să din se mai este ce era pentru lui ca au care le am sau "
        "dar i al ale fost prin după când ei el ea îi își acest această mi fi l va până sunt "
        "foarte tot toate cum dacă nici unde şi să"
    ),
    "tr": _words(
        "ve bir bu da de için o ne çok ben gibi daha var ama kadar sonra mi ki değil her şey "
        "olarak en diye olan onu ile sen biz kendi bana onun yok hiç dedi oldu benim şimdi içinde "
        "zaman nasıl ya beni mı bile"
    ),
    "vi": _words(
        "và của là có không một những được trong cho người đã với các này để khi tôi thì đến ra "
        "lại như ở anh cũng từ đó về nhưng bị nào còn rất"
    ),
    "id": _words(
        "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena tersebut "
        "bisa ada mereka lebih telah dia sudah oleh kami kita atau hanya seperti aku orang"
    ),
    "et": _words(
        "ja on ei et see oli ta kui ka ma mis aga ning siis kes nii oma seda mitte üks veel välja "
        "selle tema juba või olid mida midagi nagu ainult mind teda siin seal"
    ),
    "lt": _words(
        "ir į kad yra su ne iš buvo jis tai kaip bet per o ji apie jau tik jo aš dar ar už man "
        "kai prie nuo jos buvo labai mano tu"
    ),
    "lv": _words(
        "un ir ka no ar bija par uz viņš tas es ne kas bet lai tā viņa kā vai arī tikai jau pie "
        "tad pēc kad mani man nav šis"
    ),
    "ca": _words(
        "de la i que el en a els no un per amb una les del és es va al més com dels però seva seu "
        "si ho era havia aquest aquesta ha quan molt o perquè hi li tot són"
    ),
    "eo": _words(
        "la kaj de en ne al estas ke mi li estis por ĉi kiu kun ĝi sed si sur ili kiel pri tio "
        "oni ŝi el da nur"
    ),
}

LATIN_LETTERS = {
    "de": "ßäöü",
    "fr": "èêçàùœîû",
    "es": "ñ¿¡óíá",
    "pt": "ãõçâê",
    "it": "èìòàù",
    "pl": "łżąęśćńź",
    "cs": "řůě",
    "sk": "ľĺŕôä",
    "hr": "đć",
    "sv": "åäö",
    "da": "æøå",
    "no": "æøå",
    "fi": "äö",
    "hu": "őűáé",
    "ro": "ășțâîşţ",
    "tr": "ğşıü",
    "vi": "ơưạảấầếềệộớờợđ",
    "et": "õäü",
    "lt": "ėųį",
    "lv": "āēīūķļņ",
    "ca": "çàèòï·",
    "eo": "ĉĝĥĵŝŭ",
}
# All letters beyond a to z that each language writes; others speak against it.
LATIN_ALPHABETS = {
    "en": "éèêëïöôçàüñœæ",
    "de": "äöüßéèàáêç",
    "fr": "àâæçèéêëîïôœùûüÿ",
    "es": "áéíóúüñ¿¡ªº",
    "pt": "áâãàçéêíóôõúüªº",
    "it": "àèéìíîòóùú",
    "pl": "ąćęłńóśźż",
    "cs": "áčďéěíňóřšťúůýž",
    "sk": "áäčďéíĺľňóôŕšťúýž",
    "hr": "čćđšž",
    "sl": "čšžćđ",
    "nl": "áéíóúàèëïöüêôîçĳ",
    "sv": "åäöéàèü",
    "da": "æøåéèó",
    "no": "æøåéèêòóô",
    "fi": "äöåšž",
    "hu": "áéíóöőúüű",
    "ro": "ăâîșțşţ",
    "tr": "çğıöşüâîû",
    "vi": "àáâãèéêìíòóôõùúýăđĩũơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ",
    "id": "é",
    "et": "äöõüšž",
    "lt": "ąčęėįšųūž",
    "lv": "āčēģīķļņšūž",
    "ca": "àçèéíïòóúü·",
    "eo": "ĉĝĥĵŝŭ",
}
