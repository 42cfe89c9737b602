"""Mocap of two hands using hinged objects: ARCTIC (Fan et al. 2023), from its own files."""

from toch_jax.datasets.arctic.builder import prepare

__all__ = ["prepare"]
