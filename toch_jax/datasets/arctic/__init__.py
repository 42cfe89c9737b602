"""ARCTIC (Fan et al. 2023): motion capture of two hands and hinged objects, from its original files."""

from toch_jax.datasets.arctic.builder import prepare

__all__ = ["prepare"]
