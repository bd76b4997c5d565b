"""Bayesian search over instructions, demonstrations and models."""
