"""Grasps made here: open_grasps."""

from toch_jax.datasets.open_grasps.builder import prepare

__all__ = ["prepare"]
