"""Cost terms: residuals and their linearisation."""
