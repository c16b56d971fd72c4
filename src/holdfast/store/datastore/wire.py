"""Wire: calls to the service, as protocol buffers over HTTP, and what their errors mean.

Law: a call is sent once and ends at its deadline. It is HTTP and not gRPC because a process that
forks while gRPC is at work leaves children, and at times itself, whose calls never end. The
driver's errors are translated here and nowhere else.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import google.auth
import requests
import urllib3
from google.api_core import exceptions
from google.auth import credentials as known
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.auth.transport import requests as transport
from google.cloud.datastore_v1 import types
from google.protobuf.message import DecodeError
from google.rpc import status_pb2
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.lifetimes import AT_ONCE
from holdfast.replies import Timely, close_pools
from holdfast.store.datastore.rows import Place

__all__ = ["Login", "NotSent", "Wire", "datastore_errors"]

# Google's library has types in part: what comes out of these is checked where it is used
api: Any = exceptions
_AuthorizedSession: Any = transport.AuthorizedSession
_Anonymous: Any = known.AnonymousCredentials
_Status: Any = status_pb2.Status
_SCOPES = ["https://www.googleapis.com/auth/datastore"]
_PROTOBUF = "application/x-protobuf"
_POOL = AT_ONCE  # connections kept; more threads than that open some anew
_CHUNK = 1 << 16
_ANSWERS: dict[str, Any] = {
    "lookup": types.LookupResponse,
    "commit": types.CommitResponse,
    "rollback": types.RollbackResponse,
    "runQuery": types.RunQueryResponse,
}


class NotSent(exceptions.DeadlineExceeded):
    """The time was over before anything was sent."""

    def __init__(self) -> None:
        super().__init__("no answer in time")  # type: ignore[no-untyped-call]  # google's own


class Login(NamedTuple):
    """Whom to speak to, and as whom.

    Attributes:
        credentials: Of Google's library; None: what it finds in the environment.
        endpoint: The service's URL.
    """

    credentials: Any = None
    endpoint: str = "https://datastore.googleapis.com"


class _Connection(HTTPConnection):
    response_class = Timely


class _SecureConnection(HTTPSConnection):
    response_class = Timely


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        pools: Any = {"http": _Pool, "https": _SecurePool}
        self.poolmanager.pool_classes_by_scheme = pools

    def close(self) -> None:
        close_pools(self.poolmanager)
        super().close()


class Wire:
    """The connections of one process to the service; for all its threads.

    Args:
        place: Where the rows are.
        login: Whom to speak to, and as whom. `DATASTORE_EMULATOR_HOST` in the environment wins.
    """

    def __init__(self, place: Place, login: Login) -> None:
        credentials, endpoint = login
        emulator = os.environ.get("DATASTORE_EMULATOR_HOST")
        if emulator:
            credentials, endpoint = _Anonymous(), f"http://{emulator}"
        elif credentials is None:
            credentials, _ = google.auth.default(scopes=_SCOPES)
        self._url = f"{endpoint}/v1/projects/{place.project}"
        self._session = _AuthorizedSession(credentials)
        for start in ("https://", "http://"):
            self._session.mount(start, _Adapter(pool_maxsize=_POOL))
        where = f"project_id={place.project}"
        if place.database:
            where += f"&database_id={place.database}"
        self._headers = {"Content-Type": _PROTOBUF, "x-goog-request-params": where}

    def ask(self, method: str, request: Any, until: float) -> Any:
        """Return the answer to `request`.

        Args:
            method: As in the URL.
            request: The message.
            until: When the time is over, of `time.monotonic`.

        Raises:
            GoogleAPICallError: What the service says, `DeadlineExceeded` or `ServiceUnavailable`.
        """
        body = type(request).serialize(request)
        left = until - time.monotonic()
        if left <= 0:
            raise NotSent
        try:
            status, answer = self._post(f"{self._url}:{method}", body, left, until)
        except requests.RequestException as error:
            late = time.monotonic() >= until and not _was_refused(error)
            if isinstance(error, requests.Timeout) or late:
                raise _late() from error
            raise api.ServiceUnavailable("cannot be reached") from error
        try:
            if status != requests.codes.ok:
                said = _Status.FromString(answer)
                raise api.from_grpc_status(said.code, said.message)
            return _ANSWERS[method].deserialize(answer)
        except DecodeError as error:
            raise api.from_http_status(status, "unreadable") from error

    def _post(self, url: str, body: bytes, left: float, until: float) -> tuple[int, bytes]:
        with self._session.post(
            url,
            data=body,
            headers=self._headers,
            timeout=urllib3.Timeout(total=left),
            max_allowed_time=left,
            stream=True,
            allow_redirects=False,
        ) as response:
            if not _tells_its_length(response):
                raise requests.ConnectionError("it ended among its headers")
            parts = []
            for part in response.iter_content(_CHUNK):
                parts.append(part)
                if time.monotonic() > until:
                    raise requests.Timeout
        return response.status_code, b"".join(parts)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _was_refused(error: requests.RequestException) -> bool:
    """Return whether there was no connection, so that nothing can have been slow."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _tells_its_length(response: requests.Response) -> bool:
    """Return whether it would be noticed if a part of the body were missing."""
    headers = response.headers
    return headers.get("Content-Length", "").isdigit() or (
        headers.get("Transfer-Encoding", "").lower() == "chunked"
    )


@contextlib.contextmanager
def datastore_errors(store: str) -> Iterator[None]:
    """Translate the driver's errors."""
    try:
        yield
    except exceptions.Aborted as error:
        raise StoreTimeout(store, "others kept writing the same keys; nothing was done") from error
    except exceptions.GatewayTimeout as error:
        raise StoreTimeout(store, "no answer in time") from error
    except exceptions.GoogleAPICallError as error:
        said = (str(error.message) or type(error).__name__).splitlines()[0][:300]
        raise StoreUnavailable(store, f"{said}{_mend(error)}") from error
    except DefaultCredentialsError as error:
        raise StoreUnavailable(
            store,
            "no credentials: set GOOGLE_APPLICATION_CREDENTIALS, or run"
            " `gcloud auth application-default login`",
        ) from error
    except (GoogleAuthError, OSError) as error:
        raise StoreUnavailable(store, f"cannot log in: {type(error).__name__}") from error


def _late() -> exceptions.GoogleAPICallError:
    late: exceptions.GoogleAPICallError = api.DeadlineExceeded("no answer in time")
    return late


def _mend(error: exceptions.GoogleAPICallError) -> str:
    if isinstance(error, exceptions.Forbidden | exceptions.Unauthorized):
        return "; it needs the role roles/datastore.user"
    if isinstance(error, exceptions.NotFound):
        return "; make the database in Datastore mode first, or mend project and database"
    return ""
