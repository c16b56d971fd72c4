"""Servers for tests and benchmarks: each on a free loopback port, with its data in a new folder."""
