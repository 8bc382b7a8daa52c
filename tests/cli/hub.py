#!/usr/bin/env python3
"""A stand-in for the hub, for one command, with the faults that networks have. Standard library only.

    python3 hub.py [FAULTS] [--log FILE] -- tandem pull hf-hub:acme/tiny

serves the folder tiny/ as the repository acme/tiny while the command runs, with HF_ENDPOINT and HF_HOME=home set, and exits as it
does. As on the hub, the weights are named by their sha256 and come from another host (localhost instead of 127.0.0.1) by a
redirect, the other files by a git id and directly. The log has a line a request: METHOD HOST PATH [Range] [token].

    python3 hub.py --assets DIR      makes an assets folder whose models/tiny-hub.json is a row for acme/tiny
"""
import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = "open_clip_model.safetensors"


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--assets", type=Path)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--folder", type=Path, default="tiny")
    parser.add_argument("--cut", type=lambda text: [int(n) for n in text.split(",")], default=[], help="drop the weights after so many bytes, once each")
    parser.add_argument("--always-cut", type=int)
    parser.add_argument("--long", type=int, default=0, help="promise so many bytes more than come")
    parser.add_argument("--short", type=int, default=0, help="promise so many bytes fewer than there are")
    parser.add_argument("--extra", type=int, default=0, help="send so many bytes too many, and promise them")
    parser.add_argument("--ignore-range", action="store_true")
    parser.add_argument("--wrong-range", action="store_true", help="resume elsewhere than asked")
    parser.add_argument("--refuse-range", action="store_true", help="416")
    parser.add_argument("--damage", type=int, default=0, help="so many times, one byte of the weights is another")
    parser.add_argument("--change", action="store_true", help="other weights under the same name after the first cut")
    parser.add_argument("--status", default="", help="CODE[xTIMES][:RETRY_AFTER[:ERROR_CODE]] for every request")
    parser.add_argument("--redirect", default="", help="where the weights' redirect leads, or loop")
    parser.add_argument("--trickle", action="store_true", help="100 bytes a second")
    parser.add_argument("--private", action="store_true", help="404 without the token abc")
    parser.add_argument("--gated", action="store_true")
    parser.add_argument("--huge", action="store_true", help="the weights are said to be 9 exabytes")
    parser.add_argument("--pickle", action="store_true", help="only open_clip_pytorch_model.bin")
    parser.add_argument("--shards", action="store_true", help="transformers' form: an index and two files")
    parser.add_argument("--evil-shards", action="store_true")
    parser.add_argument("--listing", default="", help="what the list of files is instead")
    parser.add_argument("--etag", default="", help="what every ETag is instead")
    parser.add_argument("--squash", action="store_true", help="the config's resize_mode is squash")
    parser.add_argument("command", nargs="*")
    return parser.parse_args()


def content(args):
    files = {path.name: path.read_bytes() for path in args.folder.iterdir()}
    config = json.loads(files["open_clip_config.json"])
    if args.squash:
        config["preprocess_cfg"]["resize_mode"] = "squash"
        files["open_clip_config.json"] = json.dumps(config).encode()
    if args.pickle:
        files["open_clip_pytorch_model.bin"] = b"PK" + files.pop(WEIGHTS)
    if args.shards or args.evil_shards:
        name = "../../../../x.safetensors" if args.evil_shards else "model-00002-of-00002.safetensors"
        files["model.safetensors.index.json"] = json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors", "b": name}}).encode()
        files["model-00001-of-00002.safetensors"] = files.pop(WEIGHTS)
        files["model-00002-of-00002.safetensors"] = b"second"
    files["README.md"] = b"# tiny\n"
    return files


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    args, files, lock, gets, asked = None, {}, threading.Lock(), 0, 0

    def log_message(self, *_):
        pass

    def note(self):
        if self.args.log:
            token = self.headers.get("Authorization", "")
            words = [self.command, self.headers["Host"].split(":")[0], self.path, self.headers.get("Range", ""), token]
            with self.lock, self.args.log.open("a") as log:
                log.write(" ".join(word for word in words if word) + "\n")

    def answer(self, status, headers, body=b"", length=None):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.args.trickle and len(body) > 2000:
            for at in range(0, len(body), 25):
                self.wfile.write(body[at:at + 25])
                time.sleep(0.25)
        else:
            self.wfile.write(body)
        if length is not None:
            self.close_connection = True

    def faulty(self):
        """The fault of every request, if this one has it."""
        fault, _, rest = self.args.status.partition(":")
        status, _, times = fault.partition("x")
        with self.lock:
            Hub.asked += 1
            wanted = bool(status) and (not times or Hub.asked <= int(times))
        if not wanted:
            return False
        after, _, code = rest.partition(":")
        self.answer(int(status), {k: v for k, v in (("Retry-After", after), ("X-Error-Code", code)) if v})
        return True

    def allowed(self):
        if self.args.gated:
            self.answer(403, {"X-Error-Code": "GatedRepo"})
        elif self.args.private and self.headers.get("Authorization") != "Bearer abc":
            self.answer(401, {"X-Error-Code": "RepoNotFound"})
        else:
            return True
        return False

    def do_GET(self):
        self.note()
        path = self.path.split("?")[0]
        try:
            if path.startswith("/cdn/"):
                return self.weights(path.removeprefix("/cdn/"))
            if self.faulty() or not self.allowed():
                return
            if path.startswith("/api/models/acme/tiny/revision/"):
                return self.listing(path.rsplit("/", 1)[1])
            parts = path.split("/")
            if path.startswith("/acme/tiny/resolve/") and parts[4] in (COMMIT, "main"):
                return self.file("/".join(parts[5:]))
            self.answer(404, {"X-Error-Code": "RepoNotFound"})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_HEAD = do_GET

    def listing(self, revision):
        if revision not in ("main", COMMIT, "v1"):
            return self.answer(404, {"X-Error-Code": "RevisionNotFound"})
        made = json.dumps({"id": "acme/tiny", "sha": COMMIT, "siblings": [{"rfilename": name} for name in sorted(self.files)]})
        self.answer(200, {"Content-Type": "application/json"}, (self.args.listing or made).encode())

    def current(self, name):
        """A file's bytes, which --change changes after the first GET of the weights."""
        body = self.files[name]
        return body[:-4] + b"\0\0\0\1" if self.args.change and Hub.gets > 0 and name == WEIGHTS else body

    def file(self, name):
        if name not in self.files:
            return self.answer(404, {"X-Error-Code": "EntryNotFound"})
        body = self.current(name)
        headers = {"X-Repo-Commit": COMMIT}
        if not name.endswith((".safetensors", ".bin")):
            git = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
            return self.answer(200, headers | {"ETag": self.args.etag or f'"{git}"'}, body)
        place = f"http://localhost:{self.server.server_port}/cdn/{name}"
        if self.args.redirect == "loop":
            place = self.path
        elif self.args.redirect:
            place = self.args.redirect
        if self.args.redirect and self.command == "HEAD":
            place = f"http://localhost:{self.server.server_port}/cdn/{name}"
        size = 9 << 60 if self.args.huge else len(body)
        self.answer(302, headers | {"X-Linked-Etag": self.args.etag or f'"{hashlib.sha256(body).hexdigest()}"',
                                    "X-Linked-Size": str(size), "Location": place})

    def weights(self, name):
        body = self.current(name)
        with self.lock:
            Hub.gets += 1
            cut = self.args.cut.pop(0) if self.args.cut else self.args.always_cut
            damage = self.args.damage >= Hub.gets
        if damage:
            body = body[:500] + bytes([body[500] ^ 1]) + body[501:]
        begin, status, headers = 0, 200, {}
        asked = self.headers.get("Range", "")
        if asked and self.args.refuse_range:
            return self.answer(416, {})
        if asked and not self.args.ignore_range:
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
            shown = begin - 10 if self.args.wrong_range else begin
            status, headers = 206, {"Content-Range": f"bytes {shown}-{len(body) - 1}/{len(body)}"}
            begin = shown
        rest = body[begin:] + b"x" * self.args.extra
        length = len(rest) + self.args.long - self.args.short
        if cut is not None:
            rest = rest[:cut]
        self.answer(status, headers, rest[:length], length)


def make_assets(args):
    real = Path(shutil.which("tandem")).resolve().parent.parent / "share" / "tandem"
    (args.assets / "models").mkdir(parents=True)
    for name in ("vocab", "prompts"):
        (args.assets / name).symlink_to((real / name).resolve())
    row = {"name": "tiny-hub", "family": "Acme", "summary": "for tests", "licence": "MIT", "aliases": ["Tiny:acme"], "parameters": 347905,
           "hub": {"repository": "acme/tiny"}, "config": json.loads((args.folder / "open_clip_config.json").read_text())}
    (args.assets / "models" / "tiny-hub.json").write_text(json.dumps(row))


def main():
    args = options()
    if args.assets:
        return make_assets(args)
    Hub.args, Hub.files = args, content(args)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = os.environ | {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
    env.setdefault("HF_HOME", "home")
    return subprocess.run(args.command, env=env).returncode


if __name__ == "__main__":
    sys.exit(main())
