"""`pellucid show WHAT`: a command for each registered picture, with its options, its help and its examples."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from typer.core import TyperGroup

from pellucid._text import say
from pellucid.cli.drawing import NO_WEIGHTS, Lang, default_file, write
from pellucid.cli.output import CsvFile, check_table_name, note, print_json, says, write_table
from pellucid.errors import ConfigError
from pellucid.files.atomic import replacing
from pellucid.runs.folder import place_to_write

if TYPE_CHECKING:
    from pellucid.cli.source import RunSource
    from pellucid.visualise.registry import Option, Picture, Shown, Table

Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Where to: .png, .svg or .pdf; - writes a PNG to standard output."),
]
Gif = Annotated[Path | None, typer.Option("--out", metavar="FILE.gif", help="Where to; - writes to standard output.")]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="imagenet|none|FILE",
        help="Of a network by name. Default: the published ones where they are on this machine.",
    ),
]
Instead = Annotated[bool, typer.Option("--json", help="Print it as JSON instead of drawing.")]


class Pictures(TyperGroup):
    """The commands, made when somebody asks for them: to import everything that draws takes a third of a second."""

    @property
    def commands(self) -> Any:
        """By name, in the order of the list."""
        return self._made

    @commands.setter
    def commands(self, value: object) -> None:
        """What Typer has collected: nothing."""

    @cached_property
    def _made(self) -> dict[str, Any]:
        from pellucid.visualise.pictures import PICTURES

        made = typer.Typer()
        for picture in PICTURES:
            made.command(picture.name, epilog=picture.examples)(command_of(picture))
        group: Any = typer.main.get_command(made)
        return dict(group.commands)


app = typer.Typer(
    cls=Pictures,
    name="show",
    no_args_is_help=True,
)


@app.callback()
def show() -> None:
    """Draw what a network has learned."""


def command_of(picture: Picture) -> Callable[..., None]:
    """A function that Typer makes a command of: what it takes, its options, --weights, --lang, its tables, --out."""
    from pellucid.visualise.registry import Inverted, JudgedData

    takes = picture.takes
    kind: Any = list[Path] if takes.several else str | None if takes.optional else str
    first: Any = Annotated[kind, typer.Argument(metavar=takes.metavar, help=takes.help)]
    hints = get_type_hints(picture.make, include_extras=True)
    parameters = list(inspect.signature(picture.make).parameters.items())[1:]
    own = {"data": (_as_typer(JudgedData), None)} if picture.judges else {}
    own |= {name: (_as_typer(hints[name]), parameter.default) for name, parameter in parameters}
    swapped: dict[str, Any] = {"invert": (_as_typer(Inverted), False)} if "image" in own else {}
    tables: dict[str, Any] = {"csv": (CsvFile, None), "as_json": (Instead, False)} if picture.tables else {}
    weights: dict[str, Any] = {"weights": (Weights, None)} if takes.weights else {}
    required = inspect.Parameter.empty
    more = own | swapped | weights
    options = {"run": (first, None if takes.optional else required), **more, "lang": (Lang, None), **tables}
    options["out"] = (Gif if picture.moving else Out, None)

    def command(run: Any, lang: str | None, out: Path | None, **given: Any) -> None:
        from pellucid.cli.source import RunSource

        csv, as_json = (given.pop(name, None) if name in tables else None for name in ("csv", "as_json"))
        if csv is not None:
            check_table_name(csv, "--csv")
        chosen = given.pop("weights") if takes.weights else NO_WEIGHTS
        invert = swapped and given.pop("invert")
        if invert and given["image"] is None:
            raise ConfigError("--invert is for a picture of your own; name it with --image")
        sources = [RunSource(one, lang, chosen, invert=bool(invert)) for one in (run if takes.several else [run])]
        shown = picture.make(sources, **given) if takes.several else picture.of(sources[0], **given)
        _deliver(picture, shown, sources[0], out, csv, bool(as_json))

    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
            for name, (annotation, default) in options.items()
        ]
    )
    command.__annotations__ = {name: annotation for name, (annotation, _) in options.items()}
    command.__doc__ = picture.make.__doc__
    return command


def _as_typer(hint: Any) -> Any:
    """An Annotated with an Option, with Typer's own in its place."""
    option: Option = hint.__metadata__[0]
    told: dict[str, Any] = {"metavar": option.metavar, "help": option.help, "min": option.least, "max": option.most}
    return Annotated[hint.__origin__, typer.Option(option.flag, callback=option.check, **told)]


def _deliver(
    picture: Picture, shown: Shown, source: RunSource, out: Path | None, csv: Path | None, as_json: bool
) -> None:
    """Write, print or say what a picture shows: its table instead of the figure where that was asked for."""
    if shown.records is not None:
        print_json(shown.records)
        return
    if shown.text is not None:
        if out is not None:
            raise ConfigError(f"--out {out}: the style text is printed; redirect it, or take the style blocks")
        say(shown.text(not says("┌─▼…")))
        return
    if shown.table is not None and _as_table(shown.table, source, csv, as_json):
        return
    for line in shown.notes:
        note(line)
    if shown.draw is None:
        return
    if shown.svg is not None and out is not None and out.suffix.lower() == ".svg":
        with replacing(place_to_write(out)) as file:
            file.write(shown.svg().encode())
        say(str(out))
        return
    place: Any = shown.file
    if isinstance(place, str):
        place = default_file(Path(source.what), place, ".gif" if picture.moving else ".png")
    write(shown.draw(), out, place, shown.scale)


def _as_table(table: Table, source: RunSource, csv: Path | None, as_json: bool) -> bool:
    """Write the table behind the figure to `csv`, or print it; True where that is all.

    Numbers that are none (NaN) stay empty, and are null in JSON.
    """
    rows = [[None if isinstance(cell, float) and cell != cell else cell for cell in row] for row in table.rows]
    if csv is not None:
        write_table(csv, table.header, rows)
        note(source.say(table.said, count=len(rows), file=csv))
    if as_json:
        objects = [dict(zip(table.header, row, strict=True)) for row in rows]
        print_json(objects if table.records is None else table.records)
    return as_json
