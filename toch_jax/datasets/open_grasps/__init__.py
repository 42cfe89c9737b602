"""open_grasps: synthetic grasps of the open hand model."""

from toch_jax.datasets.open_grasps.builder import prepare

__all__ = ["prepare"]
