"""Examples of the documents, and what their tests need of them."""
