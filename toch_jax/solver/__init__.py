"""Banded least-squares problem over a hand's trajectory, and Levenberg-Marquardt for it; its terms are in costs/."""
