"""From the words of the command line to a function's call, with one line for whatever is wrong with them."""

import contextlib
import difflib
import functools
import gc
import inspect
import io
import itertools
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Union, get_type_hints

import tyro

from toch_jax.base.errors import bad_input

Command = Callable[[list[str], str], int]
"""Takes the words after the command, and the command itself ("toch denoise"). Returns the exit code."""


@dataclass(frozen=True)
class Existing:
    """Marks the type of an argument: a path that is to be there before JAX is loaded, where one is given."""

    kind: str

    def is_at(self, path: Path) -> bool:
        return path.is_file() if self.kind == "a file" else path.is_dir() if self.kind == "a folder" else path.exists()


File = Annotated[Path, Existing("a file")]
FileOrFolder = Annotated[Path, Existing("a file or a folder")]
Folder = Annotated[Path, Existing("a folder"), tyro.conf.arg(metavar="FOLDER")]
OptionalFile = Annotated[Path | None, Existing("a file"), tyro.conf.arg(metavar="FILE", help_behavior_hint="")]
OptionalFileOrFolder = Annotated[
    Path | None, Existing("a file or a folder"), tyro.conf.arg(metavar="FILE|FOLDER", help_behavior_hint="")
]
OptionalFolder = Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")]
Switch = Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")]

WIDTH = 100
"""Of help text, characters."""
IN_WORDS = {
    "invalid literal for int() with base 10:": "expected a whole number, found",
    "could not convert string to float:": "expected a number, found",
}
"""What Python says of a word that is no number, and what a user reads."""


class UsageError(Exception):
    """A command line that can't be run. Its text is one line that begins with the command."""


@dataclass(frozen=True)
class Group:
    """Commands by name, which may be groups themselves."""

    summary: str
    commands: "Mapping[str, Command | Group]"
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the group itself, for its help."""


def run(command: Command | Group, words: list[str], prog: str) -> int:
    """Run the command that the first words name with the words that follow."""
    while isinstance(command, Group):
        if not words or words[0] in ("-h", "--help"):
            print(group_help(command, prog))
            return 0 if words else 2
        name, *words = words
        if name not in command.commands:
            what = "option" if name.startswith("-") else "command"
            known = [*command.commands, *(option.split()[0] for option in command.options)]
            raise UsageError(f"{prog}: unknown {what} {name!r}{nearest(name, known)}; see {prog} --help")
        command, prog = command.commands[name], f"{prog} {name}"
    return command(words, prog)


def typed(function: Callable[..., int], check: Callable[..., object] | None = None) -> Command:
    """The command whose options are the parameters of `function`, described by its docstring.

    What can be refused without JAX is refused before it is loaded: paths that are `Existing`, and what `check` raises
    of the same arguments.
    """

    @functools.wraps(function)
    def command(words: list[str], prog: str) -> int:
        call = parsed(function, words, prog, (tyro.conf.DisallowNone, tyro.conf.PositionalMetavarFromFieldName))
        arguments = inspect.signature(function).bind(*call.args, **call.keywords).arguments
        _check_paths(function, arguments)
        if check is not None:
            check(**arguments)
        set_up_process()
        return call()

    return command


def set_up_process() -> None:
    """Settings of JAX and of the garbage collector for the process of a command; a library must not make them.

    Says on standard error that JAX is being loaded: that takes seconds.
    """
    print("loading JAX ...", file=sys.stderr, flush=True)
    # XLA reports each use of cached code at the level of errors.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Imports and tracing make a million objects that stay; at the default threshold, scanning them takes seconds.
    gc.set_threshold(50_000)
    import jax

    from toch_jax.base.device import MATMUL_PRECISION, keep_compiled

    keep_compiled()
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_default_matmul_precision", MATMUL_PRECISION)


def parsed(
    function: Callable[..., int], words: list[str], prog: str, config: tuple[Any, ...] = ()
) -> functools.partial[int]:
    """The call that the words make of `function`. Raises UsageError; `--help` prints and exits."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> functools.partial[int]:
        return functools.partial(function, *args, **kwargs)

    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        tyro.cli(call, prog=prog, args=["--help"], config=config)
    _check_options(words, text.getvalue(), prog)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(call, prog=prog, args=words, config=config)  # type: ignore[return-value]
    except SystemExit as end:
        if end.code in (0, None):
            raise
        fault = _one_line(complaint.getvalue()).replace(f"Missing from {prog}:", "missing")
        raise UsageError(f"{prog}: {fault}; see {prog} --help") from None


def _check_paths(function: Callable[..., int], arguments: Mapping[str, Any]) -> None:
    hints = get_type_hints(function, include_extras=True)
    for name, value in arguments.items():
        marks = getattr(hints[name], "__metadata__", ())
        for mark in marks:
            if isinstance(mark, Existing) and value is not None and not mark.is_at(value):
                typed_as = name.upper() if tyro.conf.Positional in marks else f"--{name}"
                found = "nothing" if not value.exists() else "a folder" if value.is_dir() else "a file"
                raise bad_input(value, typed_as, mark.kind, found)


def _one_line(box: str) -> str:
    """What tyro complains of: it draws a box with a title, the complaint, a rule, and advice.

    The box is drawn in ASCII where the output can't hold lines. What is indented by four is the name of an option, by
    eight its help.
    """
    inside = [line[2:-1].rstrip() for line in box.splitlines()[1:]]
    begun = itertools.dropwhile(_is_rule, inside)
    complaint = list(itertools.takewhile(lambda line: not _is_rule(line), begun))
    text = " ".join(line for line in complaint if not line.startswith(" "))
    options = " and ".join(line.strip() for line in complaint if re.match(r" {4}\S", line))
    for theirs, ours in IN_WORDS.items():
        text = text.replace(theirs, ours)
    return f"{text} {options}".strip().rstrip(".")


def _is_rule(line: str) -> bool:
    return re.fullmatch(r"[─-]{3,}", line) is not None


def _check_options(words: list[str], help_text: str, prog: str) -> None:
    known = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w.-]*", help_text)) | {"-h", "--help"}
    for word in words:
        option = word.split("=")[0]
        if re.match(r"--?[a-zA-Z]", option) and option.replace("_", "-") not in {k.replace("_", "-") for k in known}:
            raise UsageError(f"{prog}: unknown option {option}{nearest(option, known)}; see {prog} --help")


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a message: the known word that was probably meant, if one is near."""
    near = difflib.get_close_matches(word, list(known), 1)
    return f", did you mean {near[0]}?" if near else ""


def group_help(group: Group, prog: str) -> str:
    """The help of a group: its commands, each with the first line of its docstring."""
    rows = {
        name: command.summary if isinstance(command, Group) else (command.__doc__ or "").split("\n\n")[0]
        for name, command in group.commands.items()
    }
    options = {f"{prog} COMMAND --help": "the options of a command"}
    options |= {f"{prog} {option}": meaning for option, meaning in group.options.items()}
    return "\n".join([f"usage: {prog} COMMAND ...", "", group.summary, "", *table(rows), "", *table(options)])


def table(rows: Mapping[str, str]) -> list[str]:
    """Two columns of text, the second one wrapped."""
    width = max(map(len, rows))
    lines: list[str] = []
    for name, text in rows.items():
        first, *more = textwrap.wrap(" ".join(text.split()), WIDTH - width - 4) or [""]
        lines += [f"  {name:<{width}}  {first}", *(" " * (width + 4) + line for line in more)]
    return lines


def completion(group: Group, prog: str, words: list[str]) -> str:
    """A shell script that completes the commands of the group. `words` is the shell alone."""
    shells = ("bash", "zsh", "fish")
    if len(words) != 1 or words[0] not in shells:
        raise UsageError(f"{prog} --completion: expected a shell, one of {', '.join(shells)}")
    script = io.StringIO()
    with contextlib.redirect_stdout(script), contextlib.suppress(SystemExit):
        tyro.cli(_union(group), prog=prog, args=["--tyro-print-completion", words[0]])
    return script.getvalue()


def _union(group: Group) -> Any:
    """The group as the union of commands that tyro understands."""
    members = []
    for name, command in group.commands.items():
        if isinstance(command, Group):
            members.append(Annotated[_union(command), tyro.conf.subcommand(name)])
        else:
            # the function within `typed`; a command that reads its own words has none
            function = getattr(command, "__wrapped__", lambda: 0)
            members.append(Annotated[Any, tyro.conf.subcommand(name, constructor=function)])
    return Union[tuple(members)]  # noqa: UP007
