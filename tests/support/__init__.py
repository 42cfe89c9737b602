"""Shared by tests: clips, fixtures, reference implementations."""
