"""A table of DynamoDB: its client, one per process, and its making.

Law: nothing is read and nothing connects before the first use. The driver never repeats a call: who
may be repeated is decided here, within the deadline, and the others are sent once.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import botocore.config
import botocore.session
from botocore import awsrequest

from holdfast.clock import monotonic
from holdfast.errors import StoreError, StoreTimeout, StoreUnavailable
from holdfast.lifetimes import AT_ONCE, PerProcess
from holdfast.replies import Timely, close_pools
from holdfast.store.dynamodb import faults, words

__all__ = ["Settings", "Table"]

_Config: Any = botocore.config.Config  # botocore has no types
_Session: Any = botocore.session.Session

_FIRST_NAP, _LONGEST_NAP = 0.02, 0.5  # seconds between two tries
_CONNECTIONS = AT_ONCE  # kept for threads that ask at once; more are made and then closed


class _Connection(awsrequest.AWSHTTPConnection):
    response_class = Timely


class _SecureConnection(awsrequest.AWSHTTPSConnection):
    response_class = Timely


class _Pool(awsrequest.AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(awsrequest.AWSHTTPSConnectionPool):
    ConnectionCls = _SecureConnection


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach DynamoDB; what is empty is found as every program of AWS finds it.

    Attributes:
        region: Such as `eu-west-1`.
        endpoint: A URL, for servers other than Amazon's.
        config: What else a client was configured with.
        credentials: The credentials of a ready client; never shown.
    """

    region: str = ""
    endpoint: str = ""
    config: Any = field(default_factory=_Config, repr=False)
    credentials: Any = field(default=None, repr=False)

    def client(self, timeout: float) -> Any:
        """Return a new client."""
        session = _Session()
        if self.credentials is not None:
            session._credentials = self.credentials  # noqa: SLF001 - the only way for those that renew themselves
        ours = _Config(
            connect_timeout=timeout,
            read_timeout=timeout,
            max_pool_connections=_CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": 1},
            parameter_validation=False,  # the words are our own
        )
        client = session.create_client(
            "dynamodb",
            region_name=self.region or None,
            endpoint_url=self.endpoint or None,
            config=self.config.merge(ours),
        )
        client.meta.events.register("after-call.dynamodb", faults.check_whole)
        http = client._endpoint.http_session  # noqa: SLF001 - there is no other way to its connections
        http._pool_classes_by_scheme.update(http=_Pool, https=_SecurePool)  # noqa: SLF001 - the same
        return client


class Table:
    """One table: calls on it, their deadlines and their errors.

    Args:
        store: The store's name.
        name: The table's name.
        settings: How to reach it.
        timeout: Seconds one call may take. One that must connect first may take it twice.
        create: Make the table where there is none.
    """

    def __init__(
        self, store: str, name: str, settings: Settings, *, timeout: float, create: bool
    ) -> None:
        self._store = store
        self._name = name
        self._timeout = timeout
        self._there = not create
        self._closed = False
        self._clients = PerProcess(store, lambda: settings.client(timeout), _close)

    def close(self) -> None:
        """Close the client for good."""
        self._closed = True
        self._clients.close()

    def read(self, operation: str, **said: Any) -> words.Words:
        """Call what may be called twice."""
        return self._call(operation, {"TableName": self._name, **said})

    def change(self, operation: str, **said: Any) -> words.Words | None:
        """Call what must not be called twice; return None where its condition does not hold."""
        try:
            return self._call(operation, {"TableName": self._name, **said}, once=True)
        except StoreUnavailable as error:
            if faults.code_of(error.__cause__) != "ConditionalCheckFailedException":
                raise
        return None

    def batch(self, operation: str, asked: Any, rest: str) -> list[words.Words]:
        """Call on many items until nothing is left of them in `rest`; return the replies."""
        until, nap = monotonic() + self._timeout, _FIRST_NAP
        replies, left = [], {self._name: asked}
        while True:
            replies.append(self._call(operation, {"RequestItems": left}))
            left = replies[-1].get(rest) or {}
            if not left:
                return replies
            if monotonic() + nap > until:
                raise StoreTimeout(self._store, f"it was too busy for {self._timeout:g} s")
            time.sleep(nap)
            nap = min(nap * 2, _LONGEST_NAP)

    def found(self, reply: words.Words) -> list[words.Words]:
        """Return the items in the reply to a batch."""
        items: list[words.Words] = reply["Responses"].get(self._name, [])
        return items

    def _call(self, operation: str, said: words.Words, *, once: bool = False) -> words.Words:
        if not self._there:
            self._make()
        return self._patiently(lambda: self._said(operation, said), once=once)

    def _said(self, operation: str, said: words.Words) -> words.Words:
        client = self._clients.here()
        try:
            reply: words.Words = getattr(client, operation)(**said)
        finally:
            if self._closed:  # meanwhile: the call may have opened a connection since
                _close(client)
        return reply

    def _patiently(self, step: Callable[[], words.Words], *, once: bool) -> words.Words:
        """Do `step`, again where it may be, until it is done or time is up."""
        until, nap = monotonic() + self._timeout, _FIRST_NAP
        while True:
            try:
                return step()
            except faults.Foreign as error:
                late = monotonic() >= until
                ours = faults.translated(error, self._store, self._timeout, doubt=once, late=late)
                if once or not faults.may_pass(error) or monotonic() + nap > until:
                    raise ours from error
            time.sleep(nap)
            nap = min(nap * 2, _LONGEST_NAP)

    def _make(self) -> None:
        """Make the table where there is none, with DynamoDB's own removal of what is expired.

        Raises:
            StoreUnavailable: It is being made, which takes Amazon some seconds.
        """
        until = monotonic() + self._timeout
        while self._state() != "ACTIVE":
            if monotonic() + _LONGEST_NAP > until:
                raise StoreUnavailable(self._store, "the table is being made: try again soon")
            time.sleep(_FIRST_NAP)
        told = self._once("describe_time_to_live")["TimeToLiveDescription"]
        if told["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
            how = {"Enabled": True, "AttributeName": "expires"}
            self._once("update_time_to_live", TimeToLiveSpecification=how)
        self._there = True

    def _state(self) -> str:
        try:
            state: str = self._once("describe_table")["Table"]["TableStatus"]
        except StoreError as error:
            if faults.code_of(error.__cause__) != "ResourceNotFoundException":
                raise
            return self._begin()
        return state

    def _begin(self) -> str:
        try:
            reply = self._once(
                "create_table",
                AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
        except StoreError as error:
            if faults.code_of(error.__cause__) != "ResourceInUseException":
                raise
            return "CREATING"  # another process was quicker
        state: str = reply["TableDescription"]["TableStatus"]
        return state

    def _once(self, operation: str, **said: Any) -> words.Words:
        everything = {"TableName": self._name, **said}
        return self._patiently(lambda: self._said(operation, everything), once=True)


def _close(client: Any) -> None:
    close_pools(client._endpoint.http_session._manager)  # noqa: SLF001 - there is no other way to it
    client.close()
