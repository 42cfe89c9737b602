"""Synthetic noise: the registry of perturbations, and the mixture that networks are trained with."""
