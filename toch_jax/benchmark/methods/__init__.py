"""Methods of the benchmark: ours, filters, oracles, and our own versions of published methods."""
