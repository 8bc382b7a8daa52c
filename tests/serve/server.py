"""A running `tandem serve` over a small collection of the sample pictures, for tests. Standard library only."""
import base64
import json
import random
import shutil
import signal
import struct
import subprocess
import urllib.error
import urllib.request
import zlib
from pathlib import Path

SAMPLES = Path("assets/samples")
PICTURES = 40


def make_collection(binary, folder):
    """folder/pics.tandem of the first sample pictures; returns their paths."""
    pictures = sorted(SAMPLES.glob("*.png"))[:PICTURES]
    inside = folder / "pictures"
    inside.mkdir()
    for picture in pictures:
        shutil.copy(picture, inside)
    command = [binary, "index", inside, "--to", folder / "pics.tandem", "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [inside / picture.name for picture in pictures]


class Server:
    """with Server(binary, "pics.tandem", "--writable") as server: server.url"""

    def __init__(self, binary, *arguments, before=()):
        """before: a command that runs the rest of its line."""
        self.command = [*before, str(binary), "serve", *map(str, arguments), "--port", "0", "--json"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.command} ended with {self.process.wait()} before it listened")
        self.url = json.loads(line)["url"]
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        if code != 0:
            raise RuntimeError(f"{self.command} ended with {code}. Expected 0 after SIGTERM.")

    def send(self, method, path, body=None, headers=None):
        """(status, headers, bytes); a body that is no bytes is sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        if body is not None and "Content-Type" not in headers:
            request.add_unredirected_header("Content-Type", "")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def ask(self, method, path, body=None, headers=None, status=200):
        """The answer's JSON; fails on another status."""
        got, _, text = self.send(method, path, body, headers)
        if got != status:
            raise AssertionError(f"{method} {path}: {got} {text[:500]!r}. Expected {status}.")
        return json.loads(text)


def noise_png(seed, side=128):
    """A picture that compresses badly, another for each seed."""
    chance = random.Random(seed)
    rows = b"".join(b"\0" + chance.randbytes(side * 3) for _ in range(side))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def base64_of(path):
    return base64.b64encode(Path(path).read_bytes()).decode()


def data_uri(path):
    return "data:image/png;base64," + base64_of(path)


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / (sum(x * x for x in a) * sum(x * x for x in b)) ** 0.5


def form(fields):
    """(body, headers) of a multipart form as browsers and undici write it; bytes become files."""
    boundary = "----formdata-undici-0123456789"
    body = b""
    for name, value in fields.items():
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if isinstance(value, bytes):
            body += b'; filename="blob"\r\nContent-Type: application/octet-stream\r\n\r\n' + value
        else:
            body += b"\r\n\r\n" + value.encode()
        body += b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
