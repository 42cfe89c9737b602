"""The search for grasps of one hand: sampled hand, energy, starts, exact test."""
