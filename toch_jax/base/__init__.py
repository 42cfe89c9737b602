"""What every stage uses: errors, progress, arrays on the host, restricted pickles, devices. Knows nothing of hands."""
