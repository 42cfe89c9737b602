"""Metrics of a repaired clip."""
