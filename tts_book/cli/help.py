"""What --help shows: panels as wide as the terminal, with the words of the options and no types."""

from __future__ import annotations

import io
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup

from tts_book.errors import UserError
from tts_book.events import quote_command

WIDEST = 100
# Commands with fewer options have them all in one panel.
FEW_OPTIONS = 11
# Names of files that are no commands.
_FILE = re.compile(r"[/\\]|\.\w{2,5}$|^\.")
_OPTIONS = "Options"

Row = tuple[str, str]


class Command(TyperCommand):
    """A command with help in panels."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_render(self, ctx, ()))


class CommandGroup(TyperGroup):
    """Commands; a word that is none of them is answered with the command that was meant."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, _first_sentence(command.help or "")) for name, command in commands]
        formatter.write(_render(self, ctx, [("Commands", rows)]))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        found = super().get_command(ctx, cmd_name)
        if found is None and not ctx.resilient_parsing:
            raise UserError(_explain_no_command(ctx.command_path, cmd_name, self.commands))
        return found


def _explain_no_command(program: str, name: str, known: Sequence[str] | Any) -> str:
    if _FILE.search(name) or Path(name).exists():
        command = "batch" if Path(name).is_dir() else "convert"
        line = quote_command(["tts-book", command, name])
        return f'"{name}" is not a command. To convert it: {line}'
    close = get_close_matches(name, list(known), n=1)
    meant = f"Did you mean {close[0]}?" if close else f"See: {program} --help"
    return f'"{name}" is not a command. {meant}'


def _render(command: Any, ctx: Any, panels: Sequence[tuple[str, Sequence[Row]]]) -> str:
    from rich.console import Console
    from rich.padding import Padding
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    width = min(WIDEST, shutil.get_terminal_size((80, 24)).columns)
    out = io.StringIO()
    colours = sys.stdout.isatty()
    console = Console(file=out, width=width, force_terminal=colours, highlight=False)
    console.print(Text(_usage(command, ctx)))
    console.print()
    for paragraph in (command.help or "").split("\n\n"):
        console.print(Padding(Text(" ".join(paragraph.split())), (0, 2)))
        console.print()
    for title, rows in [*panels, *_panels(command, ctx)]:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(ratio=1)
        for name, text in rows:
            table.add_row(Text(name, style="bold"), Text(text))
        box = Panel(table, title=title, title_align="left", border_style="dim")
        console.print(box)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _usage(command: Any, ctx: Any) -> str:
    words = [_argument(each) for each in _arguments(command, ctx)]
    rest = ["[OPTIONS]"] + (["COMMAND"] if isinstance(command, TyperGroup) else [])
    return " ".join(["Usage:", ctx.command_path, *words, *rest])


def _argument(argument: Any) -> str:
    name = str(argument.metavar or argument.name.upper())
    return name if argument.required else f"[{name}]"


def _arguments(command: Any, ctx: Any) -> list[Any]:
    return [each for each in command.get_params(ctx) if each.param_type_name == "argument"]


def _panels(command: Any, ctx: Any) -> Iterator[tuple[str, list[Row]]]:
    """The panels in the order of the options, each with its rows; arguments come first."""
    options = [each for each in command.get_params(ctx) if each.param_type_name == "option"]
    options = [each for each in options if not each.hidden]
    few = len(options) <= FEW_OPTIONS
    found: dict[str, list[Row]] = {}
    arguments = [(_argument(each), each.help or "") for each in _arguments(command, ctx)]
    for each in options:
        panel = getattr(each, "rich_help_panel", None) or _OPTIONS
        found.setdefault(_OPTIONS if few else panel, []).append((_flags(each), _describe(each)))
    own = found.pop(_OPTIONS, [])
    if found and len(own) == 1:  # only --help
        found[list(found)[-1]] += own
    elif own:
        found = {_OPTIONS: own, **found}
    for number, (title, rows) in enumerate(found.items()):
        yield title, rows if number else [*arguments, *rows]


def _flags(option: Any) -> str:
    names = sorted(option.opts, key=len)
    value = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
    # Short names stand in a column of their own.
    indent = "" if len(names[0]) == 2 else "    "
    return f"{indent}{', '.join(names)}{value}"


def _describe(option: Any) -> str:
    text = option.help or ""
    if option.is_flag or not option.show_default or option.default in (None, ""):
        return text
    return f"{text} Default: {option.default}"


def _first_sentence(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split()).rstrip(".")
