"""What the benchmark compares: ours, filters, oracles, and our own versions of published methods."""
