"""`pellucid show architecture`: the network's own picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid._language import language
from pellucid._text import say
from pellucid.cli.drawing import STANDARD_OUTPUT, Drawn, Lang, Out, default_file, network, write
from pellucid.cli.output import says
from pellucid.cli.run import place_to_write
from pellucid.errors import ConfigError, unknown_name
from pellucid.files.atomic import replacing

EXAMPLES = (
    "VGG-16 as a textbook draws it, as SVG:\n"
    "   pellucid show architecture vgg16 --out vgg16.svg\n\n"
    "A run's network in the terminal:\n"
    "   pellucid show architecture runs/simple-convnet-digits-001 --style text"
)


def register(app: typer.Typer) -> None:
    """Put the command into `pellucid show`."""
    app.command("architecture", epilog=EXAMPLES)(architecture)


def architecture(
    what: Drawn,
    style: Annotated[
        str,
        typer.Option("--style", metavar="blocks|nodes|text", help="Boxes, circles (for small networks), or letters."),
    ] = "blocks",
    lang: Lang = None,
    out: Out = None,
) -> None:
    """Draw a network: its layers' shapes, kernels and parameters."""
    from pellucid.visualise import architecture_figure, architecture_svg, architecture_text
    from pellucid.visualise.architecture.figure import STYLES

    language(lang)
    if style not in STYLES:
        raise unknown_name("style", style, STYLES)
    model = network(what)
    if style == "text":
        if out is not None:
            raise ConfigError(f"--out {out}: the style text is printed; redirect it, or take the style blocks")
        plain = not says("┌─▼…")
        say(architecture_text(model, plain=plain, lang="en" if plain else lang))
        return
    if out is not None and out.suffix.lower() == ".svg":  # our own, smaller than Matplotlib's, with words as words
        with replacing(place_to_write(out)) as file:
            file.write(architecture_svg(model, style, lang=lang).encode())
        say(str(out))
        return
    to_stream = out is not None and str(out) == STANDARD_OUTPUT
    default = default_file(Path(what), "architecture") if not to_stream else Path()
    write(architecture_figure(model, style, lang=lang), out, default)
