"""`python -m churnstream` is `churnstream`."""

from churnstream.cli import main

main()
