"""Readers of the files that hand trackers write, one file for each format."""
