"""Carrying an artifact to another model: first a test, and a compile only if it fails."""
