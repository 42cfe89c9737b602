"""Writers of clips in the formats of other programs, one file for a format or a few close relatives."""
