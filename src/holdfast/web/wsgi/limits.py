"""WSGI: rate limits around any WSGI application.

Law: nothing is counted but by the limiter, and nothing is changed but the headers of the answer.
"""

from collections.abc import Iterable
from functools import cached_property

from holdfast.errors import StoreError
from holdfast.web.exchange import tell_store_down
from holdfast.web.headers import Headers, denial, limited, unavailable
from holdfast.web.keys import bucket
from holdfast.web.limiting import Limiting
from holdfast.web.request import Environ, WsgiRequest, inner
from holdfast.web.wsgi.interface import App, ExcInfo, StartResponse, Write, answered
from holdfast.web.wsgi.sessions import SESSION, SessionMiddleware

__all__ = ["LimitMiddleware"]


class LimitMiddleware(Limiting[App]):
    """Answers 429 to whoever hits too often, and tells everybody what remains.

    It may stand outside a `SessionMiddleware` or inside it; `by_session` works in both places. For
    its arguments see `Limiting`.
    """

    @cached_property
    def _inside(self) -> SessionMiddleware | None:
        return inner(self.app, SessionMiddleware)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, or let the application do it."""
        if self._inside is not None:
            self._inside.open(environ)
        try:
            key = self.key(WsgiRequest(environ))
        except StoreError as error:
            if self._inside is None and SESSION in environ:
                raise  # the session middleware outside answers, and tells its observer
            if self._inside is not None:
                tell_store_down(self._inside.sessions, error)
            return answered(unavailable(), environ, start_response)
        if key is None:
            return self.app(environ, start_response)
        decision = self.limiter.hit(bucket(self.name, key), self.rates)
        if not decision.allowed:
            return answered(denial(decision), environ, start_response)

        def start(status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Write:
            return start_response(status, limited(headers, decision), exc_info)

        return self.app(environ, start)
