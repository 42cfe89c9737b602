"""Code that every stage uses: errors, progress, arrays on the host, restricted pickles, devices."""
