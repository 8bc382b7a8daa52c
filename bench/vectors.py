"""Search in a million generated vectors: Tandem beside usearch's Python package, faiss-cpu, Chroma and pgvector, as far as they are
installed. Run with a Python that has numpy and the peers:
    python bench/vectors.py BUILD/src/index/vectors_bench [--rows 1000000] [--only tandem,usearch,faiss-flat,faiss-hnsw,chroma,pgvector]
Vectors are unit rows around 10,000 centres (cosine to their centre about 0.8); queries are made the same way and are not among them.
Peers get the same settings where they have them: M 16, 128 candidates while building, 96 while searching; two threads to build, one
query at a time. Chroma and pgvector answer through their own client; pgvector needs PGHOST and so on in the environment.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
WIDTH, M, BUILD, SEARCH, TOP = 512, 16, 128, 96, 10


def make(path, rows, queries):
    """(rows,512) float16 and (queries,512) float32, written once."""
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((10_000, WIDTH), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)

    def around(count):
        x = centres[rng.integers(len(centres), size=count)] + rng.standard_normal((count, WIDTH), dtype=np.float32) * (0.75 / WIDTH**0.5)
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    out = np.lib.format.open_memmap(path / "vectors.npy", "w+", np.float16, (rows, WIDTH))
    for at in range(0, rows, 50_000):
        out[at : at + 50_000] = around(min(50_000, rows - at))
    out.flush()
    np.save(path / "queries.npy", around(queries))


def timed(answer, queries, truth):
    """p50 and p99 in ms, recall@10."""
    ms, found = [], 0
    for i, query in enumerate(queries):
        begin = time.perf_counter()
        ids = answer(query)
        ms.append((time.perf_counter() - begin) * 1e3)
        found += len(set(map(int, ids)) & truth[i]) if i < len(truth) else 0
    ms.sort()
    return {"recall": found / (TOP * len(truth)), "p50_ms": ms[len(ms) // 2], "p99_ms": ms[int(len(ms) * 0.99)]}


def usearch(vectors, queries, truth, path):
    from usearch.index import Index

    index = Index(ndim=WIDTH, metric="ip", dtype="i8", connectivity=M, expansion_add=BUILD, expansion_search=SEARCH)
    begin = time.perf_counter()
    for at in range(0, len(vectors), 50_000):
        part = vectors[at : at + 50_000].astype(np.float32)
        index.add(np.arange(at, at + len(part)), part, threads=2)
    out = {"graph_s": time.perf_counter() - begin}
    index.save(str(path / "usearch"))
    out["bytes_per_item"] = (path / "usearch").stat().st_size / len(vectors)
    return out | timed(lambda q: index.search(q, TOP).keys, queries, truth)


def faiss_flat(vectors, queries, truth, path):
    import faiss

    faiss.omp_set_num_threads(2)
    index = faiss.IndexScalarQuantizer(WIDTH, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    for at in range(0, len(vectors), 50_000):
        index.add(vectors[at : at + 50_000].astype(np.float32))
    return {"bytes_per_item": 2 * WIDTH} | timed(lambda q: index.search(q[None], TOP)[1][0], queries[:50], truth[:50])


def faiss_hnsw(vectors, queries, truth, path):
    import faiss

    faiss.omp_set_num_threads(2)
    index = faiss.IndexHNSWSQ(WIDTH, faiss.ScalarQuantizer.QT_8bit, M, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = BUILD, SEARCH
    begin = time.perf_counter()
    index.train(vectors[:50_000].astype(np.float32))
    for at in range(0, len(vectors), 50_000):
        index.add(vectors[at : at + 50_000].astype(np.float32))
    out = {"graph_s": time.perf_counter() - begin}
    faiss.write_index(index, str(path / "faiss"))
    out["bytes_per_item"] = (path / "faiss").stat().st_size / len(vectors)
    return out | timed(lambda q: index.search(q[None], TOP)[1][0], queries, truth)


def chroma(vectors, queries, truth, path):
    import chromadb

    shutil.rmtree(path / "chroma", ignore_errors=True)
    client = chromadb.PersistentClient(str(path / "chroma"))
    settings = {"hnsw:space": "ip", "hnsw:M": M, "hnsw:construction_ef": BUILD, "hnsw:search_ef": SEARCH, "hnsw:num_threads": 2}
    collection = client.create_collection("bench", metadata=settings, embedding_function=None)
    begin = time.perf_counter()
    for at in range(0, len(vectors), 5_000):
        part = vectors[at : at + 5_000].astype(np.float32)
        collection.add([str(i) for i in range(at, at + len(part))], part)
    out = {"graph_s": time.perf_counter() - begin}
    out["bytes_per_item"] = sum(f.stat().st_size for f in (path / "chroma").rglob("*") if f.is_file()) / len(vectors)
    return out | timed(lambda q: collection.query(query_embeddings=[q], n_results=TOP, include=[])["ids"][0], queries, truth)


def pgvector(vectors, queries, truth, path):
    import psycopg

    with psycopg.connect(autocommit=True) as db:
        db.execute("CREATE EXTENSION IF NOT EXISTS vector")
        db.execute("DROP TABLE IF EXISTS bench")
        db.execute(f"CREATE TABLE bench (id bigint PRIMARY KEY, e halfvec({WIDTH}))")
        begin = time.perf_counter()
        with db.cursor().copy("COPY bench FROM STDIN") as copy:
            for i, row in enumerate(vectors):
                copy.write_row((i, "[" + ",".join(f"{v:.5g}" for v in row) + "]"))
        db.execute("SET maintenance_work_mem = '4GB'")
        db.execute("SET max_parallel_maintenance_workers = 1")
        db.execute(f"CREATE INDEX ON bench USING hnsw (e halfvec_ip_ops) WITH (m = {M}, ef_construction = {BUILD})")
        out = {"graph_s": time.perf_counter() - begin}
        out["bytes_per_item"] = db.execute("SELECT pg_total_relation_size('bench')").fetchone()[0] / len(vectors)
        db.execute(f"SET hnsw.ef_search = {SEARCH}")
        sql = f"SELECT id FROM bench ORDER BY e <#> %s::halfvec LIMIT {TOP}"
        return out | timed(lambda q: [r[0] for r in db.execute(sql, (str(q.tolist()),))], queries, truth)


PEERS = {"usearch": usearch, "faiss-flat": faiss_flat, "faiss-hnsw": faiss_hnsw, "chroma": chroma, "pgvector": pgvector}


def row(name, got):
    cells = [f"{got[k]:.{d}f}" if k in got else "" for k, d in (("graph_s", 0), ("recall", 4), ("p50_ms", 2), ("p99_ms", 2), ("bytes_per_item", 0))]
    print("| " + " | ".join([name, *cells]) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--only", default="tandem," + ",".join(PEERS))
    parser.add_argument("--dir", default=str(ROOT / "out/bench/vectors"))
    args = parser.parse_args()
    path = pathlib.Path(args.dir) / str(args.rows)
    path.mkdir(parents=True, exist_ok=True)
    if not (path / "queries.npy").exists():
        make(path, args.rows, args.queries)
    vectors, queries = np.load(path / "vectors.npy", mmap_mode="r"), np.load(path / "queries.npy")
    truth = [set() for _ in range(200)]
    best = [np.zeros((0, 2), np.float64)] * len(truth)
    for at in range(0, len(vectors), 50_000):
        scores = queries[: len(truth)] @ vectors[at : at + 50_000].astype(np.float32).T
        for i, s in enumerate(scores):
            top = np.argpartition(-s, TOP)[:TOP]
            best[i] = np.concatenate([best[i], np.stack([top + at, s[top]], 1)])
    for i, b in enumerate(best):
        truth[i] = set(b[np.argsort(-b[:, 1])[:TOP], 0].astype(int))
    print("| engine | build, s | recall@10 | p50, ms | p99, ms | bytes a vector |\n| --- | --- | --- | --- | --- | --- |", flush=True)
    for name in args.only.split(","):
        if name == "tandem":
            ran = subprocess.run([args.bench, path / "vectors.npy", path / "queries.npy", path / "tandem"], stdout=subprocess.PIPE, check=True)
            got = json.loads(ran.stdout)
            for kind in ("all", "few", "half"):
                row({"all": "Tandem", "few": "Tandem, 0.1 % of the rows", "half": "Tandem, half of the rows"}[kind], got | got[kind])
            print(json.dumps(got), file=sys.stderr)
            continue
        try:
            row(name, PEERS[name](vectors, queries, truth, path))
        except ImportError as e:
            print(f"| {name} | not installed: {e} | | | | |", flush=True)


if __name__ == "__main__":
    main()
