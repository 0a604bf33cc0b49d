"""`pellucid run`: a program of the book, of a page or for Keras, untouched, with modules of ours where it has none."""

from __future__ import annotations

import concurrent.futures.thread
import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from functools import partial
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Annotated, Any

import typer

from pellucid.cli import program_pictures
from pellucid.cli.console import RunAfterwards
from pellucid.cli.output import note
from pellucid.cli.program_modules import ProgramModules, in_children, table
from pellucid.cli.program_names import missing_names
from pellucid.errors import ConfigError

EXAMPLES = (
    "A program of the book, as it was downloaded:\n\n   pellucid run train_convnet.py\n\n"
    "What follows the program's name is its own:\n\n   pellucid run program.py --epochs 3"
)
app = typer.Typer()
FIGURES = "pellucid.cli.program_figures"
_POOLED: Any = getattr(concurrent.futures.thread, "_threads_queues", ())
"""Threads of pools: one that nobody shut down waits for work until Python itself ends."""


@app.command(
    "run",
    epilog=EXAMPLES,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def run(
    program: Annotated[Path, typer.Argument(metavar="PROGRAM.py", help="The program.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="ARGS", help="For the program itself.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Name what is not here, and do not run it.")] = False,
) -> None:
    """Run a program of the book Deep Learning from Scratch, or one for Keras, as it is.

    The book's modules common, dataset and ch* (such as ch07), and keras and
    tensorflow, come from Pellucid where the program has none beside it; the last
    line says which. What Keras has and Pellucid has not is named first, and ends
    the program where it comes to it.
    Without a display, figures become PNG files beside the program.
    """
    asked = Program(program)
    missing = asked.name_missing()
    if missing and check:
        raise ConfigError(f"{program} was not run: it uses {missing} names that are not here, see above")
    if check:
        return
    if missing:
        these = "this name" if missing == 1 else f"one of these {missing} names"
        note(f"pellucid: {program} runs until it comes to {these}")
    raise RunAfterwards(partial(asked.run, [os.fspath(program), *(arguments or [])]))


class Program(SourceFileLoader):
    """A file as `__main__`, compiled at once and kept nowhere.

    Errors: ConfigError if it cannot be read, or is no program.
    """

    def __init__(self, given: Path) -> None:
        self.given = given
        if given.suffix.lower() == ".ipynb":  # which Python reads as one expression, and does nothing
            raise ConfigError(
                f"{given}: is a notebook; save its code as a program first: jupyter nbconvert --to script {given}"
            )
        super().__init__("__main__", os.path.join(os.getcwd(), given))  # as Python joins them
        try:
            self._code = self.source_to_code(Path(self.path).read_bytes(), self.path)
        except FileNotFoundError:
            longer = given.with_name(f"{given.name}.py")
            hint = f"; did you mean {longer}?" if longer.is_file() else ""
            raise ConfigError(f"{given}: no such program{hint}") from None
        except IsADirectoryError:
            raise ConfigError(f"{given}: is a folder; name a program in it") from None
        except OSError as error:
            raise ConfigError(f"{given}: cannot be read: {error.strerror}") from error
        except SyntaxError as error:
            place = f", line {error.lineno}" if error.lineno else ""
            raise ConfigError(f"{given}{place}: not Python: {error.msg}") from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise ConfigError(f"{given}: not Python: {error or type(error).__name__}") from error

    def get_code(self, fullname: str) -> CodeType:
        return self._code

    def run(self, argv: list[str]) -> int:
        """What `python PROGRAM.py` does, in this process, and a last line on standard error; its exit status."""
        folder = Path(os.path.realpath(self.path)).parent
        finder = ProgramModules(table(), folder)
        spec = spec_from_loader("__main__", self)
        assert spec is not None
        main = module_from_spec(spec)
        main.__spec__ = main.__package__ = None  # as every program has them
        main.__dict__.update(__annotations__={}, __cached__=None, __file__=self.path)
        with _as_main(main, argv, folder, finder):
            try:
                self.exec_module(main)
            except SystemExit as leaving:
                return _status(leaving.code)
            except BaseException as error:
                error.__traceback__ = self._own(error.__traceback__)
                sys.excepthook(type(error), error, error.__traceback__)
                return 130 if isinstance(error, KeyboardInterrupt) else 1
            finally:
                for thread in threading.enumerate():  # which Python would wait for, too; it ends those of pools
                    if thread is not threading.current_thread() and not thread.daemon and thread not in _POOLED:
                        thread.join()
                with contextlib.suppress(Exception):  # its own standard output may be closed
                    sys.stdout.flush()
                _tell(finder.made)
            return 0

    def name_missing(self) -> int:
        """Say what the program asks of Keras and TensorFlow that is not here, a line each; how many that are."""
        finder = ProgramModules(table(), Path(os.path.realpath(self.path)).parent)
        with _found_beside(finder.chapter):
            wrong = missing_names(Path(self.path).read_bytes(), finder)
        for line, what in wrong:
            note(f"{self.given}, line {line}: {what}")
        return len(wrong)

    def _own(self, traceback: TracebackType | None) -> TracebackType | None:
        """A traceback from the program's first frame on."""
        first = traceback
        while first is not None and first.tb_frame.f_code is not self._code:
            first = first.tb_next
        return first or traceback


@contextlib.contextmanager
def _found_beside(folder: Path) -> Iterator[None]:
    """Meanwhile modules are looked for beside the program first."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextlib.contextmanager
def _as_main(main: ModuleType, argv: list[str], folder: Path, finder: ProgramModules) -> Iterator[None]:
    """This process as the program's own, and afterwards as it was."""
    modules, path, arguments, backend = dict(sys.modules), list(sys.path), list(sys.argv), os.environ.get("MPLBACKEND")
    sys.modules["__main__"] = main
    sys.meta_path.insert(0, finder)
    sys.argv[:] = argv
    if not sys.flags.safe_path:
        sys.path[0] = str(folder)
    with_display = _display()
    if not with_display:
        os.environ.setdefault("MPLBACKEND", f"module://{FIGURES}")
    try:
        with contextlib.nullcontext() if with_display else program_pictures.of_pillow(), in_children(finder):
            yield
    finally:
        sys.meta_path.remove(finder)
        sys.argv[:], sys.path[:] = arguments, path
        if backend is None:
            os.environ.pop("MPLBACKEND", None)
        for name in ("__main__", *finder.names):
            sys.modules.pop(name, None)
            if name in modules:
                sys.modules[name] = modules[name]


def _display() -> bool:
    """Whether a window could be shown."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _status(code: object) -> int:
    """What sys.exit(code) means."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    note(str(code))
    return 1


def _tell(made: list[str]) -> None:
    """The last lines: where figures went, and which modules were ours."""
    figures = sys.modules.get(FIGURES)
    if figures is not None:
        figures.FigureManager.finish()
    written, failed = program_pictures.written, program_pictures.failed
    if written:
        names = f"{written[0]}" if len(written) == 1 else f"{written[0]} to {written[-1].name}"
        note(f"pellucid: no display: figures are in {names}")
    for message in failed:
        note(f"pellucid: no display, and {message}")
    written.clear()
    failed.clear()
    if made:
        note(f"pellucid: Pellucid's stood in for {', '.join(made)}")
