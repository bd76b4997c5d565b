"""A response surface: a simulated model whose accuracy depends on the prompt in a known way.

Its results are always labelled as simulated. It shows, over thousands of compiles, how well an
optimizer searches; it shows nothing about real models.
"""
