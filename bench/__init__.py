"""Tables that put Holdfast beside the libraries one would use instead.

Law: one file per table; every row of a table does the same work, in one run; ours uses public names
only. How to read them: docs/explain/benchmarks.md.
"""
