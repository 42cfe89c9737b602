"""Mocap of whole hands holding whole objects: GRAB (Taheri et al. 2020), from its own files."""

from toch_jax.datasets.grab.builder import prepare

__all__ = ["prepare"]
