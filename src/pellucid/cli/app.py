"""The command's entry, what each exit status means, and `--version`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Annotated

import typer

from pellucid._text import note, say
from pellucid.cli.commands import Commands
from pellucid.cli.console import RunAfterwards, lasting_output, plain_warnings
from pellucid.errors import PellucidError

FAILED, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143

app = typer.Typer(
    name="pellucid",
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Convolutional networks you can see through, trained fast on an ordinary computer.",
    epilog="Begin with:   pellucid train\n\n"
    "Then:   pellucid show filters runs/simple-convnet-digits-001\n\n"
    "Every command explains itself with examples:   pellucid train --help",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit status: 0 done, 1 a PellucidError, 2 wrong usage, 130 or 143 interrupted.

    It is 1 too where standard output could not be written (a full disk); the work is done all the same.
    """
    try:
        with lasting_output() as failure:
            status = _run(arguments)
            reason = failure()
            if reason is not None:
                note(f"pellucid: standard output cannot be written: {reason}; what was printed is lost")
            return status or (FAILED if reason else 0)
    except RunAfterwards as asked:
        work = asked.work
    return work()


def _run(arguments: Sequence[str] | None) -> int:
    previous = signal.signal(signal.SIGTERM, _terminated)
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with plain_warnings():
            app(words, prog_name="pellucid", obj=words)  # a run's record says how it was made
    except PellucidError as error:
        from pellucid.cli.flags import in_flags

        note(f"pellucid: {' '.join(in_flags(str(error), words).split())}")
        return FAILED
    except MemoryError as error:
        asked = " ".join(str(error).split())
        note(f"pellucid: out of memory{f': {asked}' if asked else ''}; use smaller batches, pictures or networks")
        return FAILED
    except OSError as error:  # the machine's refusal, of a name that is too long for example
        name = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        note(f"pellucid: {' '.join(f'{name}{error.strerror or error}'.split())}")
        return FAILED
    except (KeyboardInterrupt, SystemExit) as leaving:
        if _by_ctrl_c(leaving):
            note("pellucid: interrupted; what was finished is kept")
            return INTERRUPTED
        return leaving.code if isinstance(leaving, SystemExit) and isinstance(leaving.code, int) else 0
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0


def _by_ctrl_c(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind it; Typer makes a SystemExit of a KeyboardInterrupt."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)


def _version(asked: bool) -> None:
    if not asked:
        return
    from pellucid import ops
    from pellucid._modules import installed_version

    backend = ops.backend()
    say(f"pellucid {installed_version()}", prose=True)
    say(f"backend {backend.name}, instruction set {backend.instruction_set}, {backend.threads} threads", prose=True)
    if backend.reason:
        say(f"no compiled kernels: {backend.reason}", prose=True)
    raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Version, backend, instruction set, threads."),
    ] = False,
) -> None:
    """Hold the options that belong to no command."""
