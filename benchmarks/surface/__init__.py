"""A response surface: a simulated model whose accuracy depends on the prompt in a known way.

Simulated, and labelled so wherever its figures stand. It shows how well an optimizer searches, in
thousands of compiles; it shows nothing about any real model.
"""
