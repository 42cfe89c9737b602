"""myodm: recorded grasps of MyoDM, retargeted to the open hand model."""

from toch_jax.datasets.myodm.builder import prepare

__all__ = ["prepare"]
