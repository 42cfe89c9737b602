"""What tests share: clips, fixtures, plain versions of a function."""
