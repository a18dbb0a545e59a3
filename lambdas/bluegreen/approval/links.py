"""Links that nobody can make up: HMAC-SHA256 with a key that only functions can read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

_RELEASE = re.compile(r"[0-9]{8}-[0-9]{4}-[0-9a-f]{6}")
_REQUEST = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z")
_EXPIRES = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{43}")

KEPT_S = 300
"""How long a function keeps the keys in memory."""

ASKED_AGAIN_S = 10
"""Signatures that fit no key have the keys read again, no more often than this: a rotation is noticed at once."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says: which request is meant, and until when it is good (seconds since the epoch)."""

    release_id: str
    request: str
    expires_at_s: int

    def url(self, page_url: str, key: bytes) -> str:
        """The link as it is mailed. The signature is in the query, which the access log leaves out."""
        query = {"request": self.request, "expires": self.expires_at_s, "signature": self.signature(key)}
        return f"{page_url.rstrip('/')}/{quote(self.release_id)}?{urlencode(query, safe=':')}"

    def signature(self, key: bytes) -> str:
        """Nobody without the key can make it for another request or another time."""
        return self._mac(key, "link")

    def form_token(self, key: bytes, identity: str) -> str:
        """What a form of the page has to send back: it is bound to the link, and to who was signed in, if anybody."""
        return self._mac(key, f"form\n{identity}")

    def _mac(self, key: bytes, purpose: str) -> str:
        message = f"{self.release_id}\n{self.request}\n{self.expires_at_s}\n{purpose}"
        digest = hmac.digest(key, message.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def parse(release_id: str, query: Mapping[str, str]) -> tuple[Link, str] | None:
    """A link and its signature, not looked at yet; None for what no link of ours looks like."""
    request, expires, signature = (query.get(name, "") for name in ("request", "expires", "signature"))
    shapes = ((_RELEASE, release_id), (_REQUEST, request), (_EXPIRES, expires), (_SIGNATURE, signature))
    if not all(pattern.fullmatch(value) for pattern, value in shapes):
        return None
    return Link(release_id, request, int(expires)), signature


def same(one: str, other: str) -> bool:
    """Whether two signatures are the same, in a time that does not tell how far they are."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


class Keys:
    """The key that links are signed with, and the one before it, so that links outlive a rotation."""

    def __init__(self, secretsmanager: Any, secret_id: str, clock: Callable[[], float]) -> None:
        self._client = secretsmanager
        self._secret_id = secret_id
        self._clock = clock
        self._keys: list[bytes] = []
        self._read_at = 0.0

    def signing(self) -> bytes:
        """The newest key."""
        return self._all(KEPT_S)[0]

    def of(self, link: Link, signature: str) -> bytes | None:
        """The key that a link was signed with; None when it was none of ours."""
        for kept_s in (KEPT_S, ASKED_AGAIN_S):
            for key in self._all(kept_s):
                if same(link.signature(key), signature):
                    return key
        return None

    def _all(self, kept_s: float) -> list[bytes]:
        if not self._keys or self._clock() - self._read_at >= kept_s:
            newest = self._read("AWSCURRENT")
            try:
                self._keys = [newest, self._read("AWSPREVIOUS")]
            except self._client.exceptions.ResourceNotFoundException:  # it was never rotated
                self._keys = [newest]
            self._read_at = self._clock()
        return self._keys

    def _read(self, stage: str) -> bytes:
        value = self._client.get_secret_value(SecretId=self._secret_id, VersionStage=stage)["SecretString"]
        return str(json.loads(value)["key"]).encode()
