"""HTTP: cookies, headers, and the middlewares for WSGI and ASGI."""
