"""What is measured of a repaired clip."""
