"""A small real language model behind llama.cpp's server, and what our optimizers make of it.

- ``server``, ``keeper``: install, start and stop the server. ``programs``: the tasks as programs.
- ``survey``: what the model can do before anything is compiled.
- ``compare``, ``peers``: our optimizers and DSPy's at equal paid calls.
- ``cells``: measurements in a file, so that a stopped run can be resumed. ``page``: the results.
"""
