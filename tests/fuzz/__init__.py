"""Laws of whatever reads bytes of others, for hypothesis and for atheris; `laws.py` lists them."""
