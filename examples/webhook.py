"""A receiver of webhooks: checks who sent them, and shows each once.

Run it:  CHURNSTREAM_NOTIFY__SECRET=a-long-random-text python examples/webhook.py 9192
"""

import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["CHURNSTREAM_NOTIFY__SECRET"].encode()
MAX_AGE = 300  # seconds: an older one may have been recorded by somebody, and sent again
seen: set[str] = set()  # a receiver that restarts keeps them in its database


def is_genuine(header: str, body: bytes) -> bool:
    """Whether whoever has the secret has just sent this body."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    sent, signed = parts.get("t", ""), parts.get("v1", "")
    expected = hmac.new(SECRET, f"{sent}.".encode() + body, hashlib.sha256).hexdigest()
    is_ours = hmac.compare_digest(expected.encode(), signed.encode())
    return is_ours and abs(time.time() - int(sent)) <= MAX_AGE


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what it takes, also to what comes again, and 401 to what is not genuine."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # as the library calls it
        """Take a webhook."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        genuine = is_genuine(self.headers.get("Churnstream-Signature", ""), body)
        if genuine:
            told = json.loads(body)
            if told["notification_id"] not in seen:
                seen.add(told["notification_id"])
                why = "; ".join(told["reasons"])
                print(f"{told['id']}: {told['churn_probability']:.0%}, {why}", flush=True)
        self.send_response(204 if genuine else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
