"""`python -m churnstream` is `churnstream`."""

from churnstream.entry import main

main()
