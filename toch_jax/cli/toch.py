"""The command `toch`: its commands by name, and what becomes of a fault: one line on standard error, exit code 2."""

import sys
from importlib.metadata import version
from textwrap import indent

from toch_jax.base.errors import InputError, missing_extra
from toch_jax.cli.benchmark import benchmark, check_benchmark
from toch_jax.cli.commands import check_denoise, demo, denoise, info, view, warm_up
from toch_jax.cli.parse import Group, UsageError, completion, run, typed
from toch_jax.cli.prepare import arctic, grab, myodm, open_grasps
from toch_jax.cli.train import train

USAGE_ERROR, INTERRUPTED = 2, 130

PREPARE = Group(
    "Make a data set ready for training and benchmarks; resumes if interrupted.",
    {"open_grasps": typed(open_grasps), "myodm": typed(myodm), "grab": typed(grab), "arctic": typed(arctic)},
)
TOCH = Group(
    "Repair tracked hand-object motion.",
    {
        "demo": typed(demo),
        "denoise": typed(denoise, check_denoise),
        "view": typed(view),
        "info": typed(info),
        "warm-up": typed(warm_up),
        "prepare": PREPARE,
        "train": train,
        "benchmark": typed(benchmark, check_benchmark),
    },
    {
        "--version": "the version of toch-jax",
        "--completion SHELL": "a script that completes commands in bash, zsh or fish",
    },
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command. 0 on success; 2 on a faulty command line or input; 130 when interrupted."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if words[:1] == ["--version"]:
            print(f"toch-jax {version('toch-jax')}")
            return 0
        if words[:1] == ["--completion"]:
            print(completion(TOCH, "toch", words[1:]))
            return 0
        return run(TOCH, words, "toch")
    except UsageError as fault:
        print(fault, file=sys.stderr)
        return USAGE_ERROR
    except InputError as fault:
        print(indent(str(fault), "toch: "), file=sys.stderr)
        return USAGE_ERROR
    except ModuleNotFoundError as error:
        missing = missing_extra(error)
        if missing is error:
            raise
        print(f"toch: {missing}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
