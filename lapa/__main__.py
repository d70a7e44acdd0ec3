"""`python -m lapa` is the command `lapa`."""

from lapa.cli import main

main()
