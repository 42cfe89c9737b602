"""Repair tracked hand-object motion: contact fields, a denoiser, a trajectory fit."""
