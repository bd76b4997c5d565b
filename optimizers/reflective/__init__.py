"""Reflective evolution of instructions."""
