"""Tests of what stands in for older libraries."""
