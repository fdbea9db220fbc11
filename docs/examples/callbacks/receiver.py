# A backend for Sluice with Python's standard library alone:
# CALLBACK_SECRET=... PORT=8000 python3 receiver.py
import hashlib
import hmac
import json
import os
import re
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SECRET = os.environ["CALLBACK_SECRET"].encode()
TOLERANCE_SECONDS = 300
MAX_BYTES = 1_000_000


def is_signed(headers, body):
    timestamp = headers.get("X-Sluice-Timestamp", "")
    if not re.fullmatch("[0-9]{1,12}", timestamp) or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    # Over the bytes as they came: JSON that was parsed and written again is not the same.
    signed = hmac.new(SECRET, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"sha256={signed}".encode(), headers.get("X-Sluice-Signature", "").encode())


def decide(call):
    """The status and the body of the answer."""
    if call["action"] == "disconnect":
        print(f"{call['token']} is gone: {call['reason']}", flush=True)
        return 204, None
    # Here is the place for your own check of call["request"]["headers"]["cookie"] or ["authorization"].
    user = parse_qs(urlsplit(call["request"]["url"]).query).get("user", [""])[0]
    if user == "":
        return 403, None
    return 200, {"request_id": user, "events": [{"name": "welcome", "data": f"hello {user}"}]}


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps the connection for the next callback
    timeout = 10  # seconds, for a caller that stops in the middle

    def do_POST(self):
        length = int(self.headers.get("Content-Length", "0"))
        if not 0 <= length <= MAX_BYTES:
            self.close_connection = True
            return self.answer(413, None)
        body = self.rfile.read(length)
        self.answer(*(decide(json.loads(body)) if is_signed(self.headers, body) else (401, None)))

    def answer(self, status, value):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass  # one line per call on stderr otherwise


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8000"))), Receiver)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
