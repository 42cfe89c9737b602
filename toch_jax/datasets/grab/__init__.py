"""GRAB (Taheri et al. 2020): motion capture of hands and rigid objects, from its original files."""

from toch_jax.datasets.grab.builder import prepare

__all__ = ["prepare"]
