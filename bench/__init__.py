"""Tables that put Holdfast beside the libraries one would use instead; see docs/explain/benchmarks.md.

Law: one file per table; every row of a table does the same work, in one run; ours uses public names.
"""
