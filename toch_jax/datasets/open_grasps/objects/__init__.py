"""Objects: rigid ones and hinged ones."""
