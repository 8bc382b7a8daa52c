#!/usr/bin/env python3
"""Stands in for databases that cannot be installed with the tests: stand_in.py qdrant|milvus|elasticsearch|opensearch PORT [RECORD].

It checks each request strictly against the database's published contract and answers as the contract says, from memory. Keys
change its mood: "busy" is answered 429 the first time on each path, "lossy" gets searches that leave results out, "wrong" is
refused. RECORD: a file for all requests and answers, a JSON line each, for checking them by other means (check_recorded.py).
"""
import http.server
import json
import sys
import threading
import urllib.parse

from stand_in_elastic import Elastic
from stand_in_milvus import Milvus
from stand_in_qdrant import Qdrant

DATABASES = {"qdrant": Qdrant, "milvus": Milvus, "elasticsearch": lambda: Elastic("elasticsearch"),
             "opensearch": lambda: Elastic("opensearch")}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one piece
    disable_nagle_algorithm = True
    database = None
    lock = threading.Lock()
    been_busy = set()
    record = None

    def log_message(self, *_):
        pass

    def respond(self, status, body, headers=()):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def serve(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        key = " ".join(self.headers.get(name, "") for name in ("api-key", "authorization"))
        kind = self.headers.get("Content-Type", "")
        if not self.database.authorized({name.lower(): value for name, value in self.headers.items()}):
            return self.respond(401, {"error": "the key " + key.split()[-1] + " is not known"})
        if "busy" in key and self.path not in self.been_busy:
            self.been_busy.add(self.path)
            return self.respond(429, {"error": "Too Many Requests"}, [("Retry-After", "1")] if len(self.been_busy) == 1 else [])
        if raw and kind not in ("application/json", "application/x-ndjson"):
            return self.respond(415, {"error": "Content-Type " + kind + " is not supported"})
        body = raw if kind == "application/x-ndjson" else json.loads(raw) if raw else None
        with self.lock:
            answer = self.database.answer(self.command, urllib.parse.unquote(self.path), body)
            if self.record:
                print(json.dumps({"method": self.command, "path": self.path, "request": body, "status": answer[0], "answer": answer[1]}),
                      file=self.record, flush=True)
        if "lossy" in key:
            answer = self.database.lossy(self.path, answer)
        return self.respond(*answer)

    do_GET = do_POST = do_PUT = do_DELETE = serve


def main():
    Handler.database = DATABASES[sys.argv[1]]()
    Handler.record = open(sys.argv[3], "w") if len(sys.argv) > 3 else None
    http.server.ThreadingHTTPServer.daemon_threads = True
    with http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
