"""Other people's ways to do the same; run by the interpreter of the peers' environment."""
