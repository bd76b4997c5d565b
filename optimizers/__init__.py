"""Optimizers: one contract, one member a file."""
