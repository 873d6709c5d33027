"""What is measured: each runs in a process of its own and reports on itself, as JSON on stdout."""
