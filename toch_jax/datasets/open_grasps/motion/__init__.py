"""Motion of hands and objects, and the clips of one hand."""
