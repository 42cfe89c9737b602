"""Files of critics, and the critic that comes with the package."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from toch_jax.critic.network import Critic
from toch_jax.denoiser.checkpoints import load_network


def load_critic(path: str | Path = "default") -> Critic:
    """The critic in a file written by `toch train`; "default" is the one that comes with the package.

    Raises InputError if the file is missing, truncated or of another format.
    """
    if path == "default":
        path = Path(str(files("toch_jax.critic") / "weights" / "default.npz"))
    return load_network(path, (Critic,))


def as_critic(critic: Critic | str | Path | None) -> Critic | None:
    """The critic itself, or loaded from its file; "default" is that of the package (loaded once); None stays None."""
    if critic == "default":
        return _default_critic()
    return load_critic(critic) if isinstance(critic, str | Path) else critic


@cache
def _default_critic() -> Critic:
    return load_critic()
