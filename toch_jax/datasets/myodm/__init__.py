"""Real grasps, retargeted here: myodm."""

from toch_jax.datasets.myodm.builder import prepare

__all__ = ["prepare"]
