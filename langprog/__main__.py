"""``python -m langprog``: the command line."""

from langprog.cli import main

main()
