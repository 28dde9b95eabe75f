"""The driver of the benchmark: starts servers in turns, puts load on them, and compares."""
