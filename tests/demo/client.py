"""A bare HTTP client for the tests of the doubles: what goes over the wire, nothing hidden."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from dataclasses import dataclass
from typing import Any

TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def connect(url: str, timeout: float = 10.0) -> http.client.HTTPConnection:
    split = urllib.parse.urlsplit(url)
    assert split.hostname
    return http.client.HTTPConnection(split.hostname, split.port, timeout=timeout)


def get(url: str, path: str, accept: str = "", method: str = "GET", timeout: float = 10.0, **headers: str) -> Answer:
    """One request on its own connection. Raises what http.client raises when the server misbehaves."""
    connection = connect(url, timeout)
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if accept:
        fields["Accept"] = accept
    try:
        connection.request(method, path, headers=fields)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


class Stream:
    """An open watch, read event by event."""

    def __init__(self, url: str, path: str, accept: str = "", timeout: float = 10.0) -> None:
        self._connection = connect(url, timeout)
        self._connection.request("GET", path, headers={"Accept": accept} if accept else {})
        self.response = self._connection.getresponse()
        self.status = self.response.status

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def next(self) -> Any:
        """The next event; None at the orderly end of the stream."""
        line = self.response.readline()
        return json.loads(line) if line else None

    def rest(self) -> list[Any]:
        """Every event up to the orderly end."""
        events = []
        while (event := self.next()) is not None:
            events.append(event)
        return events
