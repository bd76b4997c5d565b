"""Loaders of public data sets as programs with examples; the data themselves are not included."""
