"""Beaker, as it is documented, on Holdfast."""
