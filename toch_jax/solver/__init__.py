"""A banded least-squares problem over a hand's trajectory, and damped Gauss-Newton for it; costs/ has its terms."""
