#!/usr/bin/env python3
"""What `tandem serve` does under hostile bytes, poisoned inputs and SIGTERM under load. Standard library only.

    python3 tests/serve/limits_test.py --bin build/release/bin/tandem
"""
import argparse
import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
import unittest
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import server as serving

BINARY = "build/release/bin/tandem"
HEAD = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

# What is sent, and the status it must be answered with; afterwards the connection must be closed.
BROKEN = {
    "no HTTP at all": ("hello\r\n\r\n", 400),
    "a TLS hello": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "bare LF": ("GET /ping HTTP/1.1\nHost: localhost\n\n", 400),
    "bare CR": ("GET /ping HTTP/1.1\rHost: localhost\r\n\r\n", 400),
    "a folded line": (HEAD + "A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}", 400),
    "a space before the colon": (HEAD + "Content-Length : 2\r\n\r\n{}", 400),
    "two lengths": (HEAD + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    "two different lengths": (HEAD + "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}", 400),
    "a list of lengths": (HEAD + "Content-Length: 2, 2\r\n\r\n{}", 400),
    "a negative length": (HEAD + "Content-Length: -2\r\n\r\n{}", 400),
    "a signed length": (HEAD + "Content-Length: +2\r\n\r\n{}", 400),
    "a hexadecimal length": (HEAD + "Content-Length: 0x2\r\n\r\n{}", 400),
    "a huge length": (HEAD + "Content-Length: 99999999999999999999999\r\n\r\n{}", 400),
    "a length and chunks": (HEAD + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks twice": (HEAD + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "another coding": (HEAD + "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n", 501),
    "chunks in HTTP/1.0": ("POST /embed HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a negative chunk": (HEAD + "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk size with 0x": (HEAD + "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk longer than it says": (HEAD + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}}\r\n0\r\n\r\n", 400),
    "a chunk size beyond 64 bits": (HEAD + "Transfer-Encoding: chunked\r\n\r\n" + "f" * 17 + "\r\n", 400),
    "a body over the limit": (HEAD + "Content-Length: 900000000\r\n\r\n", 413),
    "a body where none belongs": ("GET /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 413),
    "no host": ("GET /ping HTTP/1.1\r\n\r\n", 400),
    "two hosts": ("GET /ping HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
    "a long target": ("GET /" + "a" * 9000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "a long header": ("GET /ping HTTP/1.1\r\nHost: localhost\r\nA: " + "a" * 9000 + "\r\n\r\n", 431),
    "many headers": ("GET /ping HTTP/1.1\r\nHost: localhost\r\n" + "A: b\r\n" * 101 + "\r\n", 431),
    "large headers": ("GET /ping HTTP/1.1\r\nHost: localhost\r\n" + ("A: " + "b" * 8000 + "\r\n") * 5 + "\r\n", 431),
    "a broken escape": ("GET /v1/items/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "NUL in a path": ("GET /v1/items/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "HTTP/2": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "an odd expectation": (HEAD + "Expect: miracles\r\nContent-Length: 2\r\n\r\n{}", 417),
}


def exchange(port, text):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        s.sendall(text.encode("latin-1"))
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    return answer


def png_bomb(side):
    """A PNG of side x side black pixels in a few kilobytes."""
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    head = side.to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    rows = zlib.compress(bytes(1 + side // 8) * side, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def memory_kb(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


class LimitsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = serving.Server(BINARY, "--model", "mini").__enter__()
        cls.port = int(cls.server.url.rsplit(":", 1)[1])

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def test_broken_requests_are_refused_and_the_connection_closed(self):
        for name, (text, status) in BROKEN.items():
            with self.subTest(name):
                answer = exchange(self.port, text)
                self.assertEqual(answer[:12].decode(), f"HTTP/1.1 {status}", answer[:200])
                self.assertEqual(answer.count(b"\nHTTP/1.1 "), 0, "a second request was read out of the first")
                self.assertIn(b"Connection: close", answer)
                body = json.loads(answer.split(b"\r\n\r\n", 1)[1])
                self.assertEqual(body["error"]["code"], status)
                self.assertTrue(body["request_id"])

    def test_nested_json_and_numbers_are_refused_by_the_route(self):
        for body in ("[" * 3000, '{"input":' * 100, '{"input":NaN}', '{"input":"a","input":"b"}', '{"input":1e999}', "\xff"):
            with self.subTest(body[:20]):
                status, _, text = self.server.send("POST", "/v1/embeddings", body.encode("latin-1"),
                                                   {"Content-Type": "application/json"})
                self.assertEqual(status, 400, text[:200])

    def test_pictures_that_explode_or_break_cost_their_own_request(self):
        import base64
        before = memory_kb(self.server.process.pid)
        for picture, statuses in ((png_bomb(30_000), (413,)), (png_bomb(60_000), (413, 422)), (png_bomb(64)[:60], (422,)),
                                  (b"\xff\xd8\xff\xe0" + bytes(100), (422,)), (b"", (400, 422))):
            body = {"model": "mini", "modality": "image",
                    "input": ["data:image/png;base64," + base64.b64encode(picture).decode()]}
            began = time.monotonic()
            status, _, text = self.server.send("POST", "/v1/embeddings", body)
            self.assertIn(status, statuses, text[:200])
            self.assertLess(time.monotonic() - began, 5)
            self.assertNotIn(b"libpng", text.lower())
        self.assertLess(memory_kb(self.server.process.pid) - before, 64 << 10)

    def test_a_thousand_poisoned_requests_leave_the_others_alone(self):
        failed = []

        def good():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            for _ in range(200):
                connection.request("POST", "/v1/embeddings", json.dumps({"input": "a cat"}), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                if answer.status != 200 or not json.loads(answer.read())["data"][0]["embedding"]:
                    failed.append(answer.status)
            connection.close()

        threads = [threading.Thread(target=good) for _ in range(2)]
        for thread in threads:
            thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        poison = ['{"input":["a",7]}', '{"input":{}}', "{", '{"input":[]}', json.dumps({"input": "x" * 70_000})]
        for i in range(1000):
            connection.request("POST", "/v1/embeddings", poison[i % len(poison)], {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            self.assertIn(answer.status, (400, 413, 422))
        connection.close()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])

    def test_memory_is_flat_over_many_requests(self):
        def ask(count):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            for i in range(count):
                connection.request("POST", "/v1/embeddings", json.dumps({"input": f"picture {i}"}), {"Content-Type": "application/json"})
                connection.getresponse().read()
            connection.close()
        ask(300)
        before = memory_kb(self.server.process.pid)
        ask(1500)
        self.assertLess(memory_kb(self.server.process.pid) - before, 4096)


class EndTest(unittest.TestCase):
    def one_end(self, after_s):
        """Requests from 8 clients, SIGTERM in their midst: whoever was let in must be answered whole."""
        server = serving.Server(BINARY, "--model", "mini").__enter__()
        port = int(server.url.rsplit(":", 1)[1])
        lost, answered, over = [], [0], threading.Event()

        def client():
            while not over.is_set():
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
                    connection.connect()
                except OSError:
                    return  # it listens no more
                try:
                    while not over.is_set():
                        connection.request("POST", "/v1/embeddings", json.dumps({"input": "a cat"}), {"Content-Type": "application/json"})
                        answer = connection.getresponse()
                        if answer.status == 200:
                            answered[0] += len(json.loads(answer.read())["data"])
                        elif answer.status != 503:
                            lost.append(answer.status)
                        if answer.getheader("Connection") == "close":
                            break
                except (http.client.HTTPException, OSError, ValueError) as error:
                    lost.append(repr(error))
                    return
                finally:
                    connection.close()

        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(after_s)
        server.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        code = server.process.wait(timeout=40)
        took = time.monotonic() - began
        over.set()
        for thread in threads:
            thread.join()
        server.process.stdout.close()
        self.assertEqual((code, lost), (0, []))
        self.assertGreater(answered[0], 0)
        self.assertLess(took, 30)

    def test_sigterm_under_load_loses_nothing_that_was_admitted(self):
        for i in range(int(os.environ.get("TANDEM_ENDS", "5"))):
            with self.subTest(i):
                self.one_end(0.3 + 0.037 * i)

    def test_it_does_not_start_where_others_reach_it_without_keys(self):
        import subprocess
        done = subprocess.run([BINARY, "serve", "--model", "mini", "--address", "0.0.0.0", "--port", "0"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 3)
        self.assertIn("--keys", done.stderr)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--bin", default=BINARY)
    given, rest = arguments.parse_known_args()
    BINARY = given.bin
    unittest.main(argv=[sys.argv[0], *rest])
