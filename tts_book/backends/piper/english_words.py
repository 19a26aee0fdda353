"""English abbreviations and names, for the rules of `piper_english`."""

from __future__ import annotations

# Titles that never end a sentence.
TITLES = {
    "Capt": "Captain",
    "Cmdr": "Commander",
    "Lt": "Lieutenant",
    "Messrs": "Messers",
    "Mlle": "Mademoiselle",
    "Mme": "Madame",
    "Mr": "Mister",
    "Mrs": "Mrs",
    "Prof": "Professor",
    "Rev": "Reverend",
    "Sgt": "Sergeant",
    "Supt": "Superintendent",
}
# Titles only where a name follows: elsewhere they are words, or end a sentence.
BEFORE_A_NAME = {
    "Adm": "Admiral",
    "Col": "Colonel",
    "Fr": "Father",
    "Ft": "Fort",
    "Gen": "General",
    "Gov": "Governor",
    "Hon": "Honorable",
    "Insp": "Inspector",
    "Maj": "Major",
    "Mt": "Mount",
    "Pres": "President",
    "Rep": "Representative",
    "Sen": "Senator",
    "Ste": "Sainte",
}
# A title before a name, a road after one.
TITLE_OR_ROAD = {"Dr": ("Doctor", "Drive"), "St": ("Saint", "Street")}
_PLACES = "Bay Cape Chapel Church Fort Gulf Isle Lake Mount Port River"
NO_ROAD_AFTER = frozenset((*_PLACES.split(), *TITLES.values(), *BEFORE_A_NAME.values()))
AFTER_A_NAME = {
    "Ave": "Avenue",
    "Blvd": "Boulevard",
    "Bros": "Brothers",
    "Co": "Company",
    "Corp": "Corporation",
    "Esq": "Esquire",
    "Inc": "Incorporated",
    "Jr": "Junior",
    "Ltd": "Limited",
    "Rd": "Road",
    "Sq": "Square",
    "Sr": "Senior",
}
BEFORE_A_NUMBER = {
    "art": "article",
    "c": "circa",
    "ca": "circa",
    "ch": "chapter",
    "chap": "chapter",
    "fig": "figure",
    "figs": "figures",
    "fol": "folio",
    "no": "number",
    "nos": "numbers",
    "p": "page",
    "pp": "pages",
    "pt": "part",
    "sec": "section",
    "vol": "volume",
    "vols": "volumes",
}
MONTHS = {
    "Jan": "January",
    "Feb": "February",
    "Mar": "March",
    "Apr": "April",
    "Jun": "June",
    "Jul": "July",
    "Aug": "August",
    "Sept": "September",
    "Sep": "September",
    "Oct": "October",
    "Nov": "November",
    "Dec": "December",
}
AFTER_A_NUMBER = {
    "cm": "centimeters",
    "ft": "feet",
    "hr": "hours",
    "hrs": "hours",
    "kg": "kilograms",
    "km": "kilometers",
    "lb": "pounds",
    "lbs": "pounds",
    "mi": "miles",
    "min": "minutes",
    "mins": "minutes",
    "mm": "millimeters",
    "mph": "miles an hour",
    "oz": "ounces",
    "sec": "seconds",
    "secs": "seconds",
    "yd": "yards",
    "yds": "yards",
}
ANYWHERE = {
    "&c": "et cetera",
    "approx": "approximately",
    "cf": "compare",
    "dept": "department",
    "e.g": "for example",
    "esp": "especially",
    "etc": "et cetera",
    "govt": "government",
    "i.e": "that is",
    "ibid": "ibidem",
    "viz": "namely",
    "vs": "versus",
}
_STARTERS = """
A After All An And As At Before But By Did Do Every For From Had Has He Her His How I If
In It Its Let My Nevertheless No Nobody Nor Not Nothing Now On Once One Or Our Perhaps She
So Some Still Such That The Their Then There These They This Those Though To Until We Well
Were What When Where Which While Who Why With Yes Yet You Your
"""
STARTERS = frozenset(_STARTERS.split())
_NUMBERED = """
Act Appendix Article Book Canto Chapter Figure Letter Part Psalm Scene Section Table
Volume
"""
NUMBERED = tuple(_NUMBERED.split())
_MONARCHS = """
Alexander Alfonso Benedict Catherine Charles Christian Clement Edward Elizabeth Ferdinand
Francis Frederick George Gregory Gustav Henry Innocent Ivan James John Leo Leopold Louis
Ludwig Mary Napoleon Nicholas Paul Peter Philip Pius Ramesses Richard Urban Wilhelm
William
"""
MONARCHS = tuple(_MONARCHS.split())
