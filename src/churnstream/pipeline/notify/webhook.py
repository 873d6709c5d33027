"""One attempt to deliver a webhook over HTTP."""

import hashlib
import hmac
import time
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import unquote

import urllib3
from urllib3 import exceptions
from urllib3.util import Timeout, parse_url

from churnstream.errors import ConfigurationError
from churnstream.escaping import printable
from churnstream.pipeline.notify.webhook_answer import WebhookAnswer, answer_of
from churnstream.settings import NotifySettings

SIGNATURE = "Churnstream-Signature"
_READ_AT_MOST = 64 * 1024  # bytes of an answer; only what is read whole leaves a usable connection


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Shows that a body comes from whoever has the secret, and when it was sent.

    The scheme is Stripe's (docs.stripe.com/webhooks, "Verify webhook signatures manually"): the
    HMAC-SHA256 of the timestamp, a dot and the body. Since the timestamp is signed, a receiver can
    turn down what somebody recorded and sends again.

    Args:
        timestamp: Seconds since 1970.

    Returns:
        "t=TIMESTAMP,v1=HEX".
    """
    signed = hmac.new(secret.encode(), b"%d.%b" % (timestamp, body), hashlib.sha256)
    return f"t={timestamp},v1={signed.hexdigest()}"


class Webhook:
    """Where webhooks go. May be used by several threads.

    Args:
        connections: To keep open.

    Attributes:
        receiver: Scheme, host and port; the rest of the address may be a secret.

    Raises:
        ConfigurationError: No address is set.
    """

    def __init__(self, settings: NotifySettings, connections: int) -> None:
        if settings.url is None:
            raise ConfigurationError("no address for webhooks; see --notify")
        parts = parse_url(str(settings.url.get_secret_value()))
        self._url = parts._replace(auth=None, fragment=None).url
        self.receiver = f"{parts.scheme}://{parts.netloc}"
        self._headers = {"Content-Type": "application/json", "User-Agent": "churnstream"}
        if parts.auth:
            credentials = b64encode(unquote(parts.auth).encode()).decode()
            self._headers["Authorization"] = f"Basic {credentials}"
        self._secret = settings.secret and settings.secret.get_secret_value()
        self._seconds = settings.timeout
        # Certificates are verified against the system's authorities: that is the library's default.
        self._pool = urllib3.PoolManager(
            maxsize=connections, timeout=Timeout(total=settings.timeout), retries=False
        )

    def post(self, body: bytes, notification_id: str) -> WebhookAnswer:
        """Send it once.

        Args:
            body: JSON.
            notification_id: By which the receiver knows it again.
        """
        headers = self._headers | {"Idempotency-Key": notification_id}
        if self._secret:
            headers[SIGNATURE] = signature(self._secret, int(time.time()), body)
        try:
            answer = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
            )
        except (exceptions.HTTPError, OSError) as error:
            return WebhookAnswer("retried", self._in_words(error))
        _release(answer)
        return answer_of(answer.status, answer.headers.get("Retry-After"), datetime.now(UTC))

    def _in_words(self, error: Exception) -> str:
        """The library's own words name the address."""
        if isinstance(error, exceptions.SSLError):
            return f"TLS failed: {printable(str(error), 200)}"
        if isinstance(error, exceptions.ReadTimeoutError):
            return f"no answer in {self._seconds:g} s"
        if isinstance(error, exceptions.TimeoutError):
            return f"no connection in {self._seconds:g} s"
        return f"no connection ({type(error).__name__})"


def _release(answer: urllib3.BaseHTTPResponse) -> None:
    """Keep the connection for the next one, unless there is more to read than is worth it."""
    with suppress(exceptions.HTTPError, OSError):
        answer.read(_READ_AT_MOST)
        if answer.read(1):
            answer.close()
    answer.release_conn()
