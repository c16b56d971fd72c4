"""Frameworks: one file or folder for each, which imports that framework and nothing of another."""
