"""Every ready-made program, uncompiled and compiled, in one table."""
