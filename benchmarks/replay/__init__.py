"""Optimizers on recorded outcomes of real models: no model is called, nothing is simulated.

One command per data set; each needs the folder named by LANGPROG_DATA.
"""
