"""What is measured, a module a part; each has `run`, which takes a `Bench`."""
