"""Optimizers on recorded outcomes of real models: nothing is asked, nothing is simulated.

One command a data set; each needs the folder that LANGPROG_DATA names, and says so without it.
"""
