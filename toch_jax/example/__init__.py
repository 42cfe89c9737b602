"""The clip that `toch demo` repairs."""
