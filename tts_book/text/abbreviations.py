"""What each language writes with a full stop that does not end a sentence: word lists, by hand.

Everything is lower case and without the last full stop. A word that is also an everyday word
(`art`, `sun`, `сел`, `граф`, `mag`, `san`) must stay out of `abbreviations`: there it costs
every sentence that ends with it. Such a word belongs in `before_number`, or nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


@dataclass(frozen=True, slots=True)
class Words:
    """The lists of one language.

    `abbreviations` may end a sentence, if a word of `starters` (function words that begin one)
    follows; `never_end` cannot; `before_number` are abbreviations only where a number follows.
    `inside` and `ending` are regular expressions for set phrases up to and with the full stop:
    the first never end a sentence, the second do wherever a capital follows. `headings` stand
    before a chapter's number; `one_letter` are words, not initials; `ordinals` tells that the
    language writes "3." for "third".
    """

    abbreviations: frozenset[str] = frozenset()
    never_end: frozenset[str] = frozenset()
    before_number: frozenset[str] = frozenset()
    starters: frozenset[str] = frozenset()
    headings: frozenset[str] = frozenset()
    one_letter: frozenset[str] = frozenset()
    inside: str = ""
    ending: str = ""
    ordinals: bool = False


_TITLES = "mr mrs ms messrs dr st prof mme mlle"
_PAGES = "p pp vol vols no nr fig figs ch cap art op ed"

_RU = Words(
    abbreviations=_set(
        """
        г гг в вв н э т тт ч чч р с о м л д к кн вып изд соч собр перев отв авт сост разд примеч
        прил прибл букв лит англ фр франц исп ит итал лат греч евр русск укр польск яп перс санскр
        устар разг сокр гр напр см ср мн проч др пр экз гор ул пл просп пер наб бульв ш пос пгт
        ст-ца обл р-н окр респ оз о-в п-ов р-ка корп стр эт комн акад проф доц инж преп св свв блж
        ап прот архим еп архиеп митр иером г-н г-жа гр-н гр-ка тов гос имп ген подполк кап лейт серж
        адм фельдм зам зав пом нач дир деп чл чл.-корр канд д-р к.т.н д.т.н к.и.н д.и.н к.ф.н б.г
        б.м т.е т.к т.н т.д т.п т.о т.ч и.о н.э до.н.э истор филол биол дж
        """
    ),
    never_end=_set(
        """
        дж напр т.е т.к т.н ул просп проф акад доц св свв г-н г-жа гр-н гр-ка тов соч перев англ фр
        франц исп итал лат греч устар разг ср см сост преп архим архиеп митр еп иером д-р чл.-корр
        инж ген лейт подполк фельдм серж p.s
        """
    )
    | _set(_TITLES),
    before_number=_set(
        """
        рис табл гл стр с сс п пп ст т тт ч кн вып изд д кв корп тел комн оф род ум прим илл абз
        разд ок до см нар № каб подп ауд тыс млн млрд трлн руб коп долл кг гр мг км мм га мин сек шт
        янв фев февр апр июн июл авг сен сент окт нояб ноя дек
        """
    ),
    starters=_set(
        """
        он она оно они я ты мы вы это эта этот эти тот та те в во на но и а как когда если что кто
        где куда откуда почему зачем затем потом тогда так там тут здесь теперь сейчас вдруг однако
        впрочем поэтому по при после перед до для из за от к с со у о об под над без не ни нет да
        даже ещё еще уже только все всё весь вся его её ее их мой моя наш ваш свой один одна другой
        другие многие некоторые хотя пока чтобы или либо ведь вот вон же лишь между также тоже среди
        согласно сегодня вчера завтра наконец никто ничто ничего никогда каждый тем тому того ему ей
        им ими него неё нее меня мне тебе тебя нас нам вас вам кроме через ну ах ох эй вскоре
        сначала иногда снова опять может можно надо нужно был была было были есть
        """
    ),
    headings=_set("глава часть том книга раздел действие явление акт сцена песнь песня"),
    one_letter=_set("я е"),
    # "им." is a name's "named after" only behind an institution: elsewhere it is "to them";
    # "нем." is a language only behind a bracket or in "с нем.": elsewhere it is "in him".
    inside=(
        r"(?:^|[\s(«„“])(?:т\.\s?[екно]|и\.\s?о|т\.\s?наз|до\s+н|[(]нем|(?:с|из|от)\s+нем"
        r"|(?:заводе?|театре?|школ[аеыу]|парке?|музе[йе]|институте?|университете?|библиотек[аеиу]"
        r"|академи[яию]|колхозе?|фабрик[аеиу]|площад[ьи]|стадионе?|совхозе?|больниц[аеыу]"
        r"|училищ[еа]|консерватори[яию]|клубе?|фонде?|(?-i:[А-ЯЁ]{2,}))\s+им)\.$"
    ),
    ending=r"(?:^|\s)(?:и|или)\s+(?:т\.\s?[дп]|др|пр|проч)\.$",
)

_UK = Words(
    abbreviations=_set(
        """
        т т.зв т.д т.п т.ін т.і ін р рр ст м с смт вул просп пров бульв пл наб ім проф акад доц інж
        св див пор порівн розд кн вид ред упоряд обл р-н о оз хут напр англ фр франц ісп італ лат
        грец рос укр пол яп тов гр п пп сп зб шт екз сек год хв н.е до.н.е е зам заст нач дир ген
        полк перекл ч т.ч о.м реєстр д-р в вв
        """
    ),
    never_end=_set(
        """
        див пор порівн напр т.зв вул просп пров ім проф акад доц св англ фр франц лат грец ісп італ
        реєстр тов д-р ген p.s
        """
    )
    | _set(_TITLES),
    before_number=_set("""
        рис мал табл гл розд с ст т ч кн вип вид п пп кв буд тел № дод корп ум тис млн млрд грн коп
        кг км см мм га
        """),
    starters=_set(
        """
        він вона воно вони я ти ми ви це ця цей ці той та те ті в у на але і й а як коли якщо що хто
        де куди звідки чому потім тоді так там тут тепер зараз раптом однак проте тому по при після
        перед до для із з за від к зі о об під над без не ні ще вже тільки усе все весь його її їх
        мій наш ваш один інший хоча поки щоб або бо ось лише також сьогодні учора нарешті
        """
    ),
    headings=_set("розділ глава частина том книга дія ява сцена пісня"),
    one_letter=_set("я є"),
    inside=r"(?:^|[\s(«„“])(?:т\.\s?(?:[екн]|зв)|до\s+н|[(]нім|(?:з|із|від)\s+нім)\.$",
    ending=r"(?:^|\s)(?:і|й|та|або)\s+(?:т\.\s?(?:[дпі]|ін)|ін|інш)\.$",
)

_BE = Words(
    abbreviations=_RU.abbreviations
    | _UK.abbreviations
    | _set("вул пл гг стст рэд праф ім інш н.э трансліт грэч руск бел пр-т рэж напр гл"),
    never_end=_RU.never_end | _UK.never_end | _set("гл напр рэж лац грэч руск трансліт праф"),
    before_number=_RU.before_number | _UK.before_number,
    starters=_RU.starters
    | _UK.starters
    | _set("ён яна яно яны гэта гэты ў што дзе калі каб пасля ад яшчэ ўжо толькі усё"),
    headings=_RU.headings | _set("раздзел частка кніга"),
    one_letter=_set("я"),
    inside=_UK.inside,
    ending=r"(?:^|\s)(?:і|ды|або)\s+(?:т\.\s?[дпі]|інш|г\.\s?д)\.$",
)

_EN = Words(
    abbreviations=_set(
        """
        drs profs rev revd hon fr br bro sr jr ste gen lt col maj capt cmdr sgt cpl pvt adm gov sen
        rep supt insp det treas esq ph.d m.d b.a m.a d.d ll.d b.sc m.sc v vs viz cf e.g i.e ibid cit
        al etc eds trans ca c approx inc ltd co corp bros cie dept univ assn assoc ave blvd rd mt ft
        a.m p.m a.d b.c b.c.e c.e u.s u.k u.n u.s.a u.s.s.r e.u d.c n.y l.a p.s n.b a.k.a r.s.v.p
        pres messrs
        """
    )
    | _set(_TITLES),
    never_end=_set(
        """
        mr mrs ms messrs mme mlle dr drs prof profs rev revd lt capt cmdr sgt cpl pvt gov sen gen
        maj hon viz cf vs e.g i.e p.s n.b a.k.a supt insp mt pres
        """
    ),
    before_number=_set(
        """
        no nos para pt sec nr p pp vol vols ch chap fig figs art op bk jan feb mar apr jun jul aug
        sep sept oct nov dec ca approx ver eq lib ps v vv st lb lbs yd yds sq cu hr hrs
        """
    ),
    starters=_set(
        """
        he she it they i you we this that these those there here the a an in on at by for from with
        without and but or so yet if when while after before since because although though however
        then now what who where why how which as to of his her its their my your our not no nor one
        some many most all both each every once perhaps suddenly meanwhile during until upon under
        over between among nobody everybody everyone nothing is was were are do does did have has
        had can could will would shall should may might must let please well oh ah yes never always
        soon still such another
        """
    ),
    headings=_set("chapter part book volume section act scene canto letter stave number"),
    ending=r"(?:^|\s)(?:and so forth|and so on|etc|&c)\.$",
)

_DE = Words(
    abbreviations=_set(
        """
        hr hrn fr frl med phil jur rer dipl dipl.-ing sankt bzw d.h z.b u.a u.ä o.ä u.u s.o s.u v.a
        z.t z.zt z vgl etc usw usf evtl ggf ca bspw sog inkl exkl zzgl abzgl allg insb spez ehem geb
        gest gegr verh nrn str tel hl bd bde hg hrsg aufl ausg jg jh jhd jhs kap anm ff seq ebd ders
        a.a.o o.g u.v.m m.e i.d.r i.a i.v p.a n.chr v.chr chr mio mrd tsd std sek ltd gmbh co a.d
        b.a m.a ph.d u d h a o s f n v jr sr vs nr pl
        """
    )
    | _set(_TITLES),
    never_end=_set("""
        hr hrn fr frl vgl z.b d.h bzw bspw inkl hl sog ggf u.a sankt geb ehem hrsg
        """)
    | _set(_TITLES),
    before_number=_set(
        "nr nrn s bd kap abs art abb tab anm str tel aufl jg § ca p vol kg km cm mm"
    ),
    starters=_set(
        """
        er sie es wir ihr ich du das der die dies dieser diese dieses ein eine in im am an auf aus
        bei beim mit nach von vom zu zum zur und aber oder doch denn wenn als wie was wer wo warum
        weil da dann dort hier nun jetzt so auch nur noch nicht kein keine man sein seine ihre mein
        unser alle viele einige für durch gegen ohne um über unter vor hinter seit während trotz
        obwohl jedoch außerdem endlich plötzlich nichts niemand danach ist war sind waren hat hatte
        kann wird ja nein
        """
    ),
    headings=_set("kapitel teil buch band abschnitt akt szene aufzug gesang"),
    inside=r"(?:^|[\s(„“»])(?:z\.\s?B|d\.\s?h|d\.\s?i|u\.\s?a|v\.\s?a|i\.\s?d|s\.\s?[ou]|m\.\s?E)\.$",
    ending=r"(?:^|\s)(?:usw|usf|etc|u\.\s?s\.\s?w|u\.\s?s\.\s?f|u\.\s?v\.\s?m)\.$",
    ordinals=True,
)

_FR = Words(
    abbreviations=_set(
        """
        m mm mmes mlles mgr drs pr ste sts stes gal cdt lt sgt av bd boul bld éd coll cf c.-à-d p.ex
        etc env hab av.j.-c apr.j.-c j.-c j.-b j.-j j.-m j.-l j.-p ibid n.b p.-s tél janv févr juil
        oct nov déc i.e sté cie ltd inc jr sr s.a u.s.a o.n.u
        """
    )
    | _set(_TITLES),
    never_end=_set("m mm mmes mlles mgr pr cf p.ex c.-à-d ste sts stes") | _set(_TITLES),
    before_number=_set(f"{_PAGES} n nos chap al t tél sept janv févr oct nov déc avr juil env"),
    starters=_set(
        """
        il elle ils elles on je tu nous vous ce cet cette ces cela c'est le la les l un une des du
        de d à au aux en dans sur sous par pour avec sans et mais ou où si quand comme que qui quoi
        pourquoi car donc or ni alors puis ensuite enfin ainsi aussi après avant depuis pendant
        selon son sa ses leur leurs mon ma mes tout toute tous plus malgré personne rien est était
        oui non
        """
    ),
    headings=_set("chapitre partie livre tome acte scène section chant"),
    inside=r"(?:^|[\s(«])(?:p\.\s?ex|c\.-à-d|av|apr)\.$",
    ending=r"(?:^|\s)etc\.$",
)

_ES = Words(
    abbreviations=_set(
        """
        sr sra sres sras srta srtas d dña dª da dra dres profa lic ing arq mons ud uds vd vds ee.uu
        s.a s.l cía etc p.ej ej pág págs cap caps eds trad tel tfno avda ctra pza pl sto sta a.c d.c
        a.m p.m ee uu rr hh ff aa gral cnel tte sgto aprox dpto depto admón prov vs i.e c a hab
        """
    )
    | _set(_TITLES),
    never_end=_set("sr sra sres sras srta srtas dra d dña dª p.ej gral sto sta avda")
    | _set(_TITLES),
    before_number=_set(f"{_PAGES} pág págs núm núms n t tel caps aprox"),
    starters=_set(
        """
        él ella ellos ellas yo tú nosotros usted ustedes este esta estos estas eso esto aquel el la
        los las lo un una unos unas de del a al en con sin por para y e o u pero si cuando como que
        qué quién donde porque pues entonces luego después antes desde hasta durante según su sus mi
        mis no sí ya también más aunque tras todo todos nadie nada es está son fue era hay
        """
    ),
    headings=_set("capítulo parte libro tomo acto escena sección canto"),
    inside=r"(?:^|[\s(«¿¡])(?:p\.\s?ej|por\s+ej)\.$",
    ending=r"(?:^|\s)etc\.$",
)

_IT = Words(
    abbreviations=_set(
        """
        sig sigg sig.ra sig.na sig.ri dott dott.ssa prof.ssa avv ing arch geom rag on cav comm mons
        s ss d.c a.c ecc pag pagg artt n nn tel c.so v.le p.zza cfr ca cit ibid s.p.a s.r.l s.n.c co
        ltd jr sr gen serg segr etc p.es es v d
        """
    )
    | _set(_TITLES),
    never_end=_set("sig sigg sig.ra sig.na dott dott.ssa prof.ssa avv ing cfr p.es mons on s ss")
    | _set(_TITLES),
    before_number=_set(f"{_PAGES} pag pagg artt n nn tel sec"),
    starters=_set(
        """
        egli lui lei loro io tu noi voi questo questa questi quello il lo la i gli le l un uno una
        di del della dei a al alla in nel nella con su sul per da dal e ed ma o se quando come che
        chi dove perché poi allora dopo prima durante secondo suo sua non già anche più sebbene
        tutti tutto così nessuno niente infine è era sono sì
        """
    ),
    headings=_set("capitolo parte libro tomo volume atto scena canto sezione"),
    inside=r"(?:^|[\s(«])(?:p\.\s?es|ad\s+es|per\s+es)\.$",
    ending=r"(?:^|\s)(?:ecc|etc)\.$",
)

_PT = Words(
    abbreviations=_set(
        """
        sr sra srs sras srta dra drs profa eng d exmo exma ilmo ilma pe sto sta cel sgto etc p.ex
        pág págs nº núm eds trad tel av pça lg trav s.a ltda cia a.c d.c a.m p.m e.u.a u.s.a i.e vs
        aprox séc v exa
        """
    )
    | _set(_TITLES),
    never_end=_set("sr sra srs srta dra profa p.ex exmo exma ilmo pe sto sta d v") | _set(_TITLES),
    before_number=_set(f"{_PAGES} pág págs núm nº n t tel aprox séc"),
    starters=_set(
        """
        ele ela eles elas eu tu nós você este esta estes isso isto o a os as um uma de do da dos em
        no na nos com sem por para e ou mas se quando como que quem onde porque então depois antes
        desde até durante segundo seu sua não já também mais embora todo todos ninguém nada é era
        foi está sim
        """
    ),
    headings=_set("capítulo parte livro tomo volume ato cena canto secção seção"),
    inside=r"(?:^|[\s(«])(?:p\.\s?ex|por\s+ex)\.$",
    ending=r"(?:^|\s)etc\.$",
)

_PL = Words(
    abbreviations=_set(
        """
        p mgr inż hab doc lek ks bp abp św gen płk ppłk mjr kpt ppor sierż hr m.in np itd itp tzn
        tzw tj por zob ok zm r rr w ww godz sek str ul al pl os tel red wyd przeł tłum oprac im n.e
        p.n.e tys mln mld zł gr kg km cm mm ust pkt rys tab rozdz cdn jw dyr wiceprez zast ur
        """
    )
    | _set(_TITLES),
    never_end=_set("mgr inż np tzw tj św ks por zob ul al im m.in tzn bp abp gen płk mjr kpt red")
    | _set(_TITLES),
    before_number=_set("s str t tom nr vol art ust pkt poz rys tab rozdz ok godz tel zob por ul"),
    starters=_set(
        """
        on ona ono oni one ja ty my wy to ten ta te tamten w we na po do od z ze za przez dla bez i
        a ale lub albo jeśli gdy kiedy jak co kto gdzie dlaczego potem wtedy tak tam tu teraz nagle
        jednak więc oraz nie już też tylko jeszcze jego jej ich mój nasz przed podczas według nikt
        nic wszyscy był była było jest są ma
        """
    ),
    headings=_set("rozdział część księga tom akt scena pieśń"),
    inside=r"(?:^|[\s(„])(?:m\.\s?in|t\.\s?j|p\.\s?n)\.$",
    ending=r"(?:^|\s)(?:itd|itp|i\s+in|etc)\.$",
    ordinals=True,
)

_CS = Words(
    abbreviations=_set(
        """
        p pp sl ing mgr bc judr mudr phdr rndr csc doc sv tzv tj např atd apod aj resp popř příp cca
        č čís str odst obr roč stol ul tř hod sek kg km cm mm tis mil mld kč hal mj vč zn gen plk
        mjr kpt por nám
        """
    )
    | _set(_TITLES),
    never_end=_set("ing mgr judr mudr phdr rndr doc sv tzv tj např gen plk mjr kpt resp popř příp")
    | _set(_TITLES),
    before_number=_set("č čís s str sv odst kap obr tab roč díl ul tel cca vol p"),
    starters=_set(
        """
        on ona ono oni já ty my vy to ten ta ti v ve na po do od z ze za pro bez s se a ale nebo
        když jak co kdo kde proč pak potom tak tam tady teď však ne už také jen ještě jeho její
        jejich můj náš před během podle nikdo nic všichni byl byla bylo je jsou má
        """
    ),
    headings=_set("kapitola část kniha díl svazek jednání scéna zpěv"),
    inside=r"(?:^|[\s(„])(?:t\.\s?j|m\.\s?j)\.$",
    ending=r"(?:^|\s)(?:atd|atp|apod|aj)\.$",
    ordinals=True,
)

_NL = Words(
    abbreviations=_set(
        """
        dhr mevr mw mej fam dr drs mr ir ing prof ds mgr st sr lic bc cand kand lt luit sgt
        pres burg wed geb ged a.d n.chr v.chr chr eeuw bijv bv d.w.z m.a.w o.a o.m o.i i.p.v
        i.v.m m.b.t t.a.v t.o.v t.w.v n.a.v m.i m.n z.g zgn z.o.z z.s.m zog e.a e.d e.v etc
        enz c.q c.s ca circa dgl excl incl evt evtl resp vgl vlg volg a.s w.o m.u.v u.a
        s.v.p a.u.b p.s n.b i.c q.q h.t.l afb fig tab hfst blz bladz pag vert uitg dl dln
        jrg afl aant noot opm art afd inl nl ned fr str pln ln nrs mln mld mrd fl dz gld cts
        km cm kg
        """
    )
    | _set(_TITLES),
    never_end=_set(
        """
        dhr mevr mw mej fam drs ir ing ds mgr dr prof mr lic kand cand luit sgt bijv d.w.z
        m.a.w i.p.v i.v.m m.b.t t.a.v t.o.v t.w.v n.a.v m.n zgn z.g vgl resp excl incl evt evtl o.m
        o.a c.q geb wed st ned uitg vert
        """
    )
    | _set(_TITLES),
    before_number=_set(
        """
        nr nrs no blz bladz pag p pp art hfst dl fig afb tab par jrg afl lid bd vol ca circa fl tel
        d.d ad anno jan feb mrt apr jun jul aug sept okt nov dec reg vs kol
        """
    ),
    starters=_set(
        """
        hij zij ze het we wij ik jij je jullie u men de een dit dat deze die er in op aan bij met
        van voor door naar uit om over onder na tot tegen zonder tussen tijdens sinds maar en of
        want dus toen als wanneer terwijl omdat hoewel daar hier nu dan ook nog niet geen wat wie
        waar waarom hoe alle veel enkele sommige mijn zijn haar ons onze hun ja nee nou ach o wel
        zo zelfs toch daarna eindelijk plotseling niemand niets alles is was waren heeft had hebben
        kan kon zal zou moet moest wil wilde laat
        """
    ),
    headings=_set("hoofdstuk deel boek bedrijf akte scène afdeling paragraaf zang"),
    ending=r"(?:^|\s)(?:enz|etc|e\.\s?a|e\.\s?d|c\.\s?s)\.$",
    inside=r"(?:^|[\s(„“‘])(?:d\.\s?w\.\s?z|m\.\s?a\.\s?w|o\.\s?a|i\.\s?p\.\s?v)\.$",
)


WORDS: dict[str, Words] = {
    "ru": _RU, "uk": _UK, "be": _BE, "en": _EN, "de": _DE, "fr": _FR,
    "es": _ES, "it": _IT, "pt": _PT, "pl": _PL, "cs": _CS, "nl": _NL,
}  # fmt: skip

_ORDINAL_LANGUAGES = _set("da no nb nn fi hu sk sl hr sr bs et lv tr is")


def words_of(language: str) -> Words:
    """The lists of the language with this primary subtag; titles only, where there is no list."""
    if language in WORDS:
        return WORDS[language]
    return Words(
        abbreviations=_set(_TITLES),
        never_end=_set(_TITLES),
        before_number=_set(_PAGES),
        ordinals=language in _ORDINAL_LANGUAGES,
    )
