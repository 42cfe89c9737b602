"""The command line, `toch`. Each command imports what it needs when it runs: JAX takes seconds to import."""

from toch_jax.cli.commands import main

__all__ = ["main"]
