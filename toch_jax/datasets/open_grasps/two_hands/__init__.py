"""Clips of two hands, or of hinged objects."""
