"""Word documents (.docx): mammoth turns them into HTML, with headings, notes and tables marked.

What mammoth does not know is put before it in other words: formulas as runs of a style of ours,
hidden text likewise, and what stands in wrappers that it would pass over without them.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import replace
from xml.parsers.expat import ExpatError

from tts_book.errors import UserError
from tts_book.readers import html, xml
from tts_book.readers.archives import Archive
from tts_book.readers.book import ParsedBook, ReadOptions, find_language
from tts_book.readers.decoding import Decoded
from tts_book.readers.tree_text import Element, attribute, name_of, text_of

_FORMULA, _HIDDEN = "TtsBookFormula", "TtsBookHidden"
_STYLES = f"""
p[style-name='Source Code'] => pre:separator('\\n')
p[style-name='HTML Preformatted'] => pre:separator('\\n')
p[style-name='Preformatted Text'] => pre:separator('\\n')
p[style-name='TOC Heading'] => nav > p:fresh
p[style-name^='toc '] => nav > p:fresh
p[style-name^='index '] => section[role='doc-index'] > p:fresh
p[style-name='footnote text'] => p:fresh
r[style-name='Verbatim Char'] => code
r[style-name='HTML Code'] => code
r.{_FORMULA} => math
r.{_HIDDEN} => template
"""
# What a damaged or hostile document makes mammoth fall over.
_FAULTS = (
    ExpatError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RecursionError,
    KeyError, IndexError, ValueError, AttributeError, TypeError, NotImplementedError,
)  # fmt: skip
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_NO_STORIES = ("styles", "settings", "numbering", "fonttable", "websettings", "comments")
_MARKS = (b"vanish", b"oMath", b"fldSimple", b"w:bdo", b"w:dir", b"w:ruby", b"AlternateContent")
_WRAPPERS = frozenset(("fldsimple", "bdo", "dir"))
_FLAT = frozenset(("omath", "r", "t", "rpr", "ctrlpr", "e", "sup", "sub", "ssup", "ssub"))
_SETTINGS = "pr"  # names of OMML that end so hold settings
_SHORT = 16  # characters of a formula that is read within its sentence


def read_docx(data: bytes, archive: Archive, name: str, options: ReadOptions) -> ParsedBook:
    """A Word document in blocks. Raises UserError if it is damaged, or mammoth is not there."""
    about = _about(archive, name)
    language = find_language(about.get("language", ""))
    body = _body(_prepared(data, archive, name), name)
    page = f'<html lang="{language}"><body>{body}</body></html>'
    return replace(
        html.read_html(Decoded(page, "utf-8"), name, options, is_web_page=False),
        title=about.get("title", ""),
        author=about.get("creator", ""),
        language=language,
    )


def _body(data: bytes, name: str) -> str:
    try:
        import mammoth
    except ModuleNotFoundError:
        raise UserError(
            f"{name} is a Word document, which needs one more library: "
            'pip install "tts-book[docx]", or save it as .txt or .epub'
        ) from None
    try:
        found = mammoth.convert_to_html(
            io.BytesIO(data),
            style_map=_STYLES,
            convert_image=mammoth.images.img_element(lambda image: {}),
            include_embedded_style_map=False,
            external_file_access=False,
        )
    except _FAULTS:
        raise UserError(f"{name} is a damaged Word document: save it again, or as .txt") from None
    return str(found.value)


def _about(archive: Archive, name: str) -> dict[str, str]:
    """Title, author and language as the document's properties say."""
    data = archive.read("docProps/core.xml")
    if not data:
        return {}
    root, _ = xml.parse_xml(data, name)
    return {name_of(element): text_of(element) for element in root}


def _prepared(data: bytes, archive: Archive, name: str) -> bytes:
    """The document with what mammoth does not know in words that it does."""
    hidden = _hidden_styles(archive, name)
    changed: dict[str, bytes] = {}
    for path in archive.names():
        folder, _, file_name = path.lower().rpartition("/")
        is_story = folder == "word" and file_name.endswith(".xml")
        if is_story and not file_name.startswith(_NO_STORIES):
            story = archive.read(path)
            if hidden or any(mark in story for mark in _MARKS):
                changed[path] = _rewrite_story(story, hidden)
    if not changed:
        return data
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for path in archive.names():
            is_picture = path.lower().startswith("word/media/")
            whole = b"" if is_picture else changed.get(path) or archive.read(path)
            file.writestr(path, whole)
    return made.getvalue()


def _hidden_styles(archive: Archive, name: str) -> frozenset[str]:
    """The ids of styles whose text Word does not show."""
    data = archive.read("word/styles.xml")
    if b"vanish" not in data:
        return frozenset()
    root, _ = xml.parse_xml(data, name)
    styles = (element for element in root if name_of(element) == "style")
    return frozenset(
        attribute(style, "styleId") for style in styles if _is_hidden(style, frozenset())
    )


def _rewrite_story(story: bytes, hidden: frozenset[str]) -> bytes:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    try:
        root = etree.fromstring(story, parser)
    except etree.XMLSyntaxError:
        return story  # mammoth says what is wrong with it
    for element in list(root.iter()):
        name = name_of(element)
        if name == "omath":
            _replace(element, _formula_runs(element))
        elif name == "ruby":
            _replace(element, _ruby_runs(element))
        elif name == "alternatecontent":
            _write_text_box(element)
        elif name in _WRAPPERS:
            _replace(element, list(element))
        elif name == "r" and element.tag == f"{{{_W}}}r" and _is_hidden_run(element, hidden):
            _set_style(element, _HIDDEN)
    for element in list(root.iter()):
        if name_of(element) == "omathpara":
            _replace(element, [child for child in element if name_of(child) == "r"])
    return bytes(etree.tostring(root))


def _replace(element: Element, others: list[Element]) -> None:
    parent = element.getparent()
    if parent is not None:
        at = parent.index(element)
        parent[at : at + 1] = others


def _is_hidden_run(run: Element, hidden: frozenset[str]) -> bool:
    if _is_hidden(run, hidden):
        return True
    paragraph = next((up for up in run.iterancestors() if name_of(up) == "p"), None)
    if not hidden or paragraph is None:
        return False
    style = next((e for e in paragraph.iterfind(f"{{{_W}}}pPr/{{{_W}}}pStyle")), None)
    return style is not None and attribute(style, "val") in hidden


def _is_hidden(element: Element, hidden: frozenset[str]) -> bool:
    """Whether a run or a style says itself that it is not shown, or has such a style."""
    for settings in element.iterfind(f"{{{_W}}}rPr"):
        for one in settings:
            if name_of(one) == "vanish":
                return attribute(one, "val") not in ("0", "false", "off")
            if name_of(one) == "rstyle" and attribute(one, "val") in hidden:
                return True
    return False


def _run(text: str, style: str = "", raised: str = "") -> Element:
    from lxml import etree

    run = etree.Element(f"{{{_W}}}r")
    if style:
        _set_style(run, style)
    elif raised:
        settings = etree.SubElement(run, f"{{{_W}}}rPr")
        etree.SubElement(settings, f"{{{_W}}}vertAlign").set(f"{{{_W}}}val", raised)
    etree.SubElement(run, f"{{{_W}}}t").text = text
    return run


def _set_style(run: Element, style: str) -> None:
    from lxml import etree

    settings = run.find(f"{{{_W}}}rPr")
    if settings is None:
        settings = etree.Element(f"{{{_W}}}rPr")
        run.insert(0, settings)
    for known in settings.findall(f"{{{_W}}}rStyle"):
        settings.remove(known)
    etree.SubElement(settings, f"{{{_W}}}rStyle").set(f"{{{_W}}}val", style)


def _formula_runs(formula: Element) -> list[Element]:
    """A formula as runs: a short one in a row stays text, its powers raised."""
    texts = [element for element in formula.iter() if name_of(element) == "t" and element.text]
    whole = "".join(element.text for element in texts)
    names = {name_of(element) for element in formula.iter() if name_of(element)}
    is_flat = all(name in _FLAT or name.endswith(_SETTINGS) for name in names)
    if not whole.strip():
        return []
    if len(whole) > _SHORT or not is_flat:
        return [_run(whole, _FORMULA)]
    return [_run(element.text, raised=_height(element)) for element in texts]


def _height(text: Element) -> str:
    for up in text.iterancestors():
        if name_of(up) in ("sup", "sub"):
            return f"{name_of(up)}erscript" if name_of(up) == "sup" else "subscript"
        if name_of(up) == "omath":
            break
    return ""


def _ruby_runs(ruby: Element) -> list[Element]:
    """The text itself, and how it is pronounced as hidden runs."""
    runs: list[Element] = []
    for part in ruby:
        for run in part.iterfind(f"{{{_W}}}r"):
            if name_of(part) == "rt":
                _set_style(run, _HIDDEN)
            runs.append(run)
    return runs


def _write_text_box(element: Element) -> None:
    """A text box that only newer versions of Word know is put as older ones have it."""
    from lxml import etree

    if any(name_of(child) == "fallback" and text_of(child) for child in element):
        return
    boxes = [inner for inner in element.iter() if name_of(inner) == "txbxcontent"]
    if boxes:
        picture = etree.Element(f"{{{_W}}}pict")
        picture.extend(boxes)
        _replace(element, [picture])
