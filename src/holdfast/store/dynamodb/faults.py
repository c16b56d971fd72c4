"""What can go wrong with DynamoDB, in the words of the store contract.

Law: every error of botocore is translated here and nowhere else. What may have been done, though
nobody heard of it, is a `StoreTimeout` where that is a question of its own.
"""

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectionError,  # noqa: A004 - botocore's own
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from holdfast.errors import ConfigError, StoreError, StoreTimeout, StoreUnavailable

__all__ = ["Foreign", "check_whole", "code_of", "may_pass", "translated"]

Foreign = (BotoCoreError, ClientError)
_Closed: Any = ConnectionClosedError  # botocore has no types

_BUSY = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ReplicatedWriteConflictException",
}
_BROKEN = {"InternalServerError", "InternalFailure", "ServiceUnavailable", "500", "502", "503"}
_LINE = (ConnectionError, HTTPClientError)
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)
_REFUSED = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
}


def code_of(error: BaseException | None) -> str:
    """Return what the server calls the error; empty where it said nothing."""
    if not isinstance(error, ClientError):
        return ""
    code: str = error.response.get("Error", {}).get("Code", "")
    return code


def check_whole(http_response: Any, **_: object) -> None:
    """Raise where a part of the reply is missing: the driver takes it for one that says nothing."""
    headers = http_response.headers
    chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"  # those check themselves
    if not chunked and headers.get("Content-Length") != str(len(http_response.content)):
        raise _Closed(endpoint_url=http_response.url)


def may_pass(error: Exception) -> bool:
    """Return whether the same words may be taken if they are said again."""
    if isinstance(error, _LINE):
        return not isinstance(error, ReadTimeoutError | ConnectTimeoutError)
    return code_of(error) in _BUSY | _BROKEN


def translated(
    error: Exception, store: str, timeout: float, *, doubt: bool, late: bool
) -> Exception:
    """Return `error` in our words; `doubt`: whether it was done is a question of its own."""
    if isinstance(error, NoRegionError):
        return ConfigError(f"{store} needs a region: write ?region=eu-west-1 or set AWS_REGION")
    unheard = isinstance(error, HTTPClientError) and not isinstance(error, EndpointConnectionError)
    # a server that reads nothing breaks a connection, too
    if isinstance(error, ReadTimeoutError | ConnectTimeoutError) or (late and unheard):
        return StoreTimeout(store, f"no answer within {timeout:g} s")
    if doubt and (unheard or code_of(error) in _BROKEN):
        return StoreTimeout(store, "it broke off: whether it was done is unknown")
    return _unavailable(error, store)


def _unavailable(error: Exception, store: str) -> StoreError:
    code = code_of(error)
    if isinstance(error, _NO_CREDENTIALS):
        message = "no credentials were found: set AWS_ACCESS_KEY_ID and its secret, or give a role"
    elif isinstance(error, _LINE):
        message = "it was not to be reached, or the connection broke: check region and endpoint"
    elif code == "ResourceNotFoundException":
        message = "there is no such table in this region: make it, or open it with create=true"
    elif code in _BUSY:
        message = f"it is busy ({code}): raise the table's capacity, or pay per request"
    elif code in _REFUSED:
        message = f"it refused ({code}): check the credentials and their policy"
    else:
        message = f"it failed ({code or type(error).__name__}){_words_of(error)}"
    return StoreUnavailable(store, message)


def _words_of(error: Exception) -> str:
    if not isinstance(error, ClientError):
        return ""
    return f": {error.response['Error'].get('Message', '')}"[:300]
