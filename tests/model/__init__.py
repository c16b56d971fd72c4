"""Two processes at random against a model; what they share is in `world.py`."""
