"""tandem export and import against clip-retrieval's own code: its `index` and its reader read what export writes, and import reads what
its `inference` writes.

    python3 -m venv V
    V/bin/pip install 'numpy==1.26.4' 'pandas==2.2.3' 'pyarrow==15.0.2' faiss-cpu fsspec tqdm 'fire<0.7' psutil
    V/bin/pip install --no-deps clip-retrieval==2.45.0 autofaiss==2.18.0 embedding-reader
    V/bin/python tools/check_clip_retrieval.py build/release/bin/tandem

Its modules are loaded one by one: the package as a whole would want torch and much else.
"""
import importlib.util
import json
import pathlib
import site
import sqlite3
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd
from embedding_reader import EmbeddingReader

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = next(p for p in map(pathlib.Path, site.getsitepackages()) if (p / "clip_retrieval").exists()) / "clip_retrieval"


def load(path):
    spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, PACKAGE / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tandem(*words):
    subprocess.run([sys.argv[1], *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def check_export(work):
    count = 40
    pictures = sorted((ROOT / "assets/samples").glob("*.png"))[:count]
    tandem("index", *pictures, "--to", work / "c.tandem", "--captions", ROOT / "assets/samples/captions.tsv", "--quiet")
    tandem("export", work / "c.tandem", "--out", work / "out", "--part-rows", 16)
    reader = EmbeddingReader(embeddings_folder=str(work / "out/img_emb"), metadata_folder=str(work / "out/metadata"),
                             file_format="parquet_npy", meta_columns=["image_path", "caption"])  # fmt: skip
    vectors, rows = zip(*[(e, m) for e, m in reader(batch_size=7, show_progress=False)])
    vectors, rows = np.concatenate(vectors), pd.concat(rows)
    items = sqlite3.connect(work / "c.tandem/items.sqlite").execute(
        "SELECT uri, caption, vector FROM items JOIN vectors USING(id) ORDER BY id").fetchall()  # fmt: skip
    assert [row[0] for row in items] == list(rows["image_path"]), "paths differ"
    assert [row[1] for row in items] == list(rows["caption"].fillna("")), "captions differ"
    assert all(np.array_equal(np.frombuffer(row[2], "<f2"), v.astype("<f2")) for row, v in zip(items, vectors)), "vectors differ"

    load("clip_index.py").clip_index(embeddings_folder=str(work / "out"), index_folder=str(work / "index"),
                                     max_index_memory_usage="100MB", current_memory_available="1GB")  # fmt: skip
    import faiss
    index = faiss.read_index(str(work / "index/image.index"))
    assert index.ntotal == count
    _, nearest = index.search(vectors.astype("f4"), 1)
    assert list(nearest[:, 0]) == list(range(count)), "clip-retrieval's index finds other rows"


def check_import(work):
    writer = load("clip_inference/writer.py").NumpyWriter(0, str(work / "inference"), True, True, True, 12)
    vectors = np.random.default_rng(0).normal(size=(5, 256)).astype("f4")
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f2")
    writer({"image_embs": vectors, "text_embs": vectors[::-1], "image_filename": [f"{i}.jpg" for i in range(5)],
            "text": [f"caption {i}" for i in range(5)],
            "metadata": [json.dumps({"url": f"http://x/{i}", "year": 2000 + i}) for i in range(5)]})  # fmt: skip
    writer.flush()
    tandem("import", work / "inference", "--to", work / "i.tandem", "--model", "mini", "--with-texts")
    rows = sqlite3.connect(work / "i.tandem/items.sqlite").execute(
        "SELECT kind, uri, caption, metadata->>'$.year', vector FROM items JOIN vectors USING(id) ORDER BY id").fetchall()
    assert [row[0] for row in rows] == ["picture"] * 5 + ["text"] * 5
    assert [row[1:4] for row in rows[:5]] == [(f"{i}.jpg", f"caption {i}", 2000 + i) for i in range(5)], rows
    expected = np.concatenate([vectors, vectors[::-1]]).astype("f4")
    got = np.stack([np.frombuffer(row[4], "<f2") for row in rows]).astype("f4")
    assert np.abs(got - expected).max() < 1e-3, "vectors differ"


def main():
    with tempfile.TemporaryDirectory(prefix="tandem_clip_retrieval_") as name:
        check_export(pathlib.Path(name))
        check_import(pathlib.Path(name))
    print("clip-retrieval's index and reader read the export; import reads clip-retrieval's inference")


if __name__ == "__main__":
    main()
