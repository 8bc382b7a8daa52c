"""`tandem serve` beside `tandem embed`, and under more than it can do: one run, one machine, one model.

    python3 bench/serve.py BUILD_DIR [--model FOLDER] [--texts 20000] [--seconds 60] [--rounds 3]

1. Batch rate: `tandem embed --texts`. 2. The same texts over HTTP from 64 connections (turns with 1; medians). 3. Ten times that rate, open loop,
for --seconds: answers still given, how fast the rest is refused, memory. 4. A good client's latency without and with 10,000 slow connections.
With infinity installed for PYTHON_PEER (pip install infinity-emb[torch,server]), 2 again for it with the same weights: --peer PYTHON.
ViT-B/32 with generated weights unless --model says otherwise. Texts are English words from the sample captions, 4 to 12 a text.
"""
import argparse
import json
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def texts(count):
    """Distinct texts of about as many words as captions have."""
    words = set()
    for name in ("assets/samples/captions.tsv", "assets/prompts/null_captions.txt", "assets/prompts/imagenet_classes.txt"):
        words.update(w for w in re.findall(r"[a-z]{3,}", (ROOT / name).read_text().lower()))
    words, rng = sorted(words), random.Random(7)
    return [" ".join(rng.choices(words, k=rng.randint(4, 12))) for _ in range(count)]


class Server:
    """`tandem serve` on a free port, for the length of a with."""

    def __init__(self, tandem, model, *options):
        self.command = [tandem, "serve", "--model", model, "--port", "0", "--json", *options]

    def __enter__(self):
        began = time.monotonic()
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        self.port = int(json.loads(self.process.stdout.readline())["url"].rsplit(":", 1)[1])
        self.start_s = time.monotonic() - began
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(40)
        if code != 0:
            sys.exit(f"tandem serve ended with {code}")


def load(tool, server, bodies, **options):
    words = [str(w) for name, value in options.items() for w in ("--" + name.replace("_", "-"), value)]
    command = [tool, "--port", server.port, "--pid", server.process.pid, "--bodies", bodies, *words]
    return json.loads(subprocess.run([str(w) for w in command], check=True, capture_output=True, text=True).stdout)


def embed_rate(tandem, model, lines, scratch):
    """Texts a second of the whole batch, as the program says: loading the model is left out on both sides."""
    done = subprocess.run([tandem, "embed", "--texts", lines, "--model", model, "--out", scratch / "vectors"], check=True,
                          capture_output=True, text=True)
    said = re.findall(r"([\d.,]+) texts/s", done.stderr)
    if said:
        return float(said[-1].replace(",", ""))
    # Too quick for a progress line.
    count, seconds = re.search(r"([\d,]+) texts.* in ([\d.]+) s", done.stdout + done.stderr).groups()
    return float(count.replace(",", "")) / float(seconds)


def throughput(tandem, tool, model, files, rounds):
    rows = []
    for _ in range(rounds):
        batch = embed_rate(tandem, model, files["texts"], files["scratch"])
        with Server(tandem, model) as server:
            served = load(tool, server, files["bodies"], connections=64, seconds=15, warm=2)
        rows.append((batch, served["rate"]))
        print(f"  embed {batch:.0f} texts/s, serve {served['rate']:.0f} ({100 * served['rate'] / batch:.0f} %), p50 "
              f"{served['by_status']['200']['p50_ms']:.0f} ms, p99 {served['by_status']['200']['p99_ms']:.0f} ms, ready after {server.start_s:.2f} s")
    print(f"64 connections: {100 * statistics.median(s / b for b, s in rows):.0f} % of the batch rate (median of {rounds}; wanted: 85)")
    return statistics.median(s for _, s in rows)


def overload(tandem, tool, model, files, peak, seconds):
    with Server(tandem, model) as server:
        before = load(tool, server, files["bodies"], connections=64, seconds=10, warm=2)
        under = load(tool, server, files["bodies"], connections=3000, rate=10 * peak, seconds=seconds, warm=5)
        after = load(tool, server, files["bodies"], connections=64, seconds=5, warm=2)
    refused = [under["by_status"][s] for s in ("429", "503") if s in under["by_status"]]
    good, memory = under["by_status"]["200"], under["memory_mb"]
    print(f"10x for {seconds} s: {under['rate']:.0f}/s answered, {100 * under['rate'] / before['rate']:.0f} % of the peak (wanted: 90); "
          f"p99 of those {good['p99_ms']:.0f} ms; {sum(r['count'] for r in refused)} refused, 429 p99 "
          f"{under['by_status'].get('429', {}).get('p99_ms', 0):.0f} ms (wanted: 50); {under['unsent']} not sent, every connection being busy; "
          f"memory {memory['first']:.0f} to {memory['last']:.0f} MB, at most {memory['most']:.0f}; afterwards {after['rate']:.0f}/s")


def slow(tandem, tool, model, files, count):
    with Server(tandem, model) as server:
        alone = load(tool, server, files["bodies"], connections=1, seconds=10, warm=1)
        among = load(tool, server, files["bodies"], connections=1, seconds=25, warm=5, slow=count)
    p99 = [r["by_status"]["200"]["p99_ms"] for r in (alone, among)]
    grown = (among["memory_mb"]["most"] - alone["memory_mb"]["last"]) * 1024 / count
    print(f"{count:,} slow connections: a good client's p99 {p99[0]:.1f} to {p99[1]:.1f} ms, {p99[1] / p99[0]:.2f}x (wanted: 1.5); "
          f"{grown:.1f} KiB each (wanted: 16); {among['slow_closed']} were closed, {among['failed_connections']} not opened")


def infinity(python, tool, model, files, dtype):
    """The same weights behind infinity's server; needs a folder that sentence-transformers reads."""
    program = pathlib.Path(python).with_name("infinity_emb")
    command = [program, "v2", "--model-id", model, "--port", "7997", "--no-bettertransformer", "--engine", "torch", "--device", "cpu",
               "--dtype", dtype, "--no-model-warmup"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(120):
            time.sleep(1)
            if subprocess.run(["curl", "-sf", "http://127.0.0.1:7997/health"], capture_output=True).returncode == 0:
                break
        peer = type("Peer", (), {"port": 7997, "process": process})
        got = load(tool, peer, files["bodies"], path="/embeddings", connections=64, seconds=15, warm=5)
        print(f"infinity {dtype}, 64 connections: {got['rate']:.0f}/s, by status {got['by_status']}")
    finally:
        process.terminate()
        process.wait(30)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("build")
    arguments.add_argument("--model")
    arguments.add_argument("--texts", type=int, default=20_000)
    arguments.add_argument("--seconds", type=int, default=60)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--slow", type=int, default=10_000)
    arguments.add_argument("--only", choices=["throughput", "overload", "slow", "infinity"], help="leave the rest out")
    arguments.add_argument("--peer", help="a Python that has infinity_emb")
    arguments.add_argument("--peer-model", help="the same weights as a folder of transformers (tandem convert --to hf)")
    given = arguments.parse_args()
    build = pathlib.Path(given.build)
    tandem, tool = str(build / "bin/tandem"), str(build / "src/serve/serve_load")
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        model = given.model or str(scratch / "vit-b-32")
        if not given.model:
            subprocess.run([build / "bin/make_model", model, "vit-b-32"], check=True)
        lines = texts(given.texts)
        files = {"texts": scratch / "texts.txt", "bodies": scratch / "bodies.jsonl", "scratch": scratch}
        files["texts"].write_text("\n".join(lines) + "\n")
        files["bodies"].write_text("".join(json.dumps({"input": line}) + "\n" for line in lines))
        if given.only in (None, "throughput", "overload", "infinity"):
            peak = throughput(tandem, tool, model, files, given.rounds)
        if given.only in (None, "overload"):
            overload(tandem, tool, model, files, peak, given.seconds)
        if given.only in (None, "slow"):
            slow(tandem, tool, model, files, given.slow)
        if given.peer and given.only in (None, "infinity"):
            files["bodies"].write_text("".join(json.dumps({"model": given.peer_model, "input": line}) + "\n" for line in lines))
            for dtype in ("float32", "bfloat16"):
                infinity(given.peer, tool, given.peer_model, files, dtype)


if __name__ == "__main__":
    main()
