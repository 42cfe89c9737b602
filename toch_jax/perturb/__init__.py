"""Synthetic noise: the registry of perturbations, and the noise mixture for training."""
