#!/usr/bin/env python3
"""The routes of `tandem serve`, asked over HTTP in the shapes that other programs use. Standard library only.

    python3 tests/serve/api_test.py --bin build/release/bin/tandem
"""
import argparse
import base64
import json
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import server as serving
from server import base64_of, cosine, data_uri, form

BINARY = "build/release/bin/tandem"
SAME = 0.999  # bf16, and other neighbours in the batch


class ApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        root = Path(cls.folder.name)
        cls.pictures = serving.make_collection(BINARY, root)
        cls.collection = root / "pics.tandem"
        cls.server = serving.Server(BINARY, cls.collection, "--writable").__enter__()
        cls.ask = cls.server.ask

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()
        cls.folder.cleanup()

    def refused(self, method, path, body, status, param=None, headers=None):
        error = self.ask(method, path, body, headers, status=status)["error"]
        self.assertEqual(error["code"], status)
        if param is not None:
            self.assertEqual(error["param"], param, error)
        return error["message"]

    # Tandem's own

    def test_lists_collections(self):
        (shelf,) = self.ask("GET", "/v1/collections")["collections"]
        self.assertEqual((shelf["name"], shelf["model"], shelf["items"] >= 40), ("pics", "mini", True))

    def test_searches_words_pictures_and_items(self):
        picture = self.pictures[7]
        by_picture = self.ask("POST", "/v1/search", {"query": "[a]", "pictures": {"a": data_uri(picture)}, "limit": 2})
        best = by_picture["results"][0]
        self.assertEqual(best["name"], picture.name)
        self.assertGreater(best["score"], SAME)
        self.assertEqual(by_picture["query"], "[a]")
        by_item = self.ask("POST", "/v1/search", {"query": f"[#{best['id']}]", "limit": 1, "with_vectors": True})
        self.assertEqual(by_item["results"][0]["id"], best["id"])
        self.assertAlmostEqual(sum(x * x for x in by_item["results"][0]["vector"]), 1, places=2)
        terms = [{"picture": base64_of(picture)}, {"text": "a cat", "weight": -0.5}]
        self.assertEqual(len(self.ask("POST", "/v1/search", {"terms": terms, "limit": 3})["results"]), 3)
        region = {"left": 0, "top": 0, "width": 50, "height": 50, "unit": "%"}
        part = self.ask("POST", "/v1/search", {"terms": [{"picture": data_uri(picture), "region": region}], "limit": 1})
        self.assertLess(part["results"][0]["score"], best["score"])

    def test_pages_through_results_without_gaps(self):
        whole = self.ask("POST", "/v1/search", {"query": "a cat", "limit": 30})
        ids, offset = [], 0
        while offset is not None and len(ids) < 30:
            page = self.ask("POST", "/v1/search", {"query": "a cat", "limit": 10, "offset": offset})
            ids += [row["id"] for row in page["results"]]
            offset = page["next_offset"]
        self.assertEqual(ids, [row["id"] for row in whole["results"]])

    def test_filters_sorts_and_counts(self):
        name = self.pictures[3].name
        found = self.ask("POST", "/v1/search", {"query": "a cat", "filter": {"uri": {"contains": name}}, "facets": ["kind"]})
        self.assertEqual([row["name"] for row in found["results"]], [name])
        self.assertEqual(found["facets"], [{"field": "kind", "values": [{"value": "picture", "count": 1}]}])
        self.refused("POST", "/v1/search", {"query": "a", "filter": {"nonsense": 1}}, 400, "filter")
        self.refused("POST", "/v1/search", {"query": "a", "filter": {"width": {"like": 1}}}, 400, "filter")

    def test_names_the_place_of_what_is_wrong(self):
        cases = [
            ({}, "query"),
            ({"query": "a", "terms": [{"text": "b"}]}, "query"),
            ({"query": "a", "limit": 0}, "limit"),
            ({"query": "a", "limit": 1001}, "limit"),
            ({"query": "a", "offset": 999}, "offset"),
            ({"query": "a", "limitt": 1}, "limitt"),
            ({"query": "[nope]"}, "pictures"),
            ({"terms": [{"text": "a"}, {"text": "b", "id": 1}]}, "terms[1]"),
            ({"terms": [{"text": "a", "weight": "x"}]}, "terms[0].weight"),
            ({"query": "a", "templates": "../../etc/passwd"}, "templates"),
        ]
        for body, param in cases:
            with self.subTest(body=body):
                self.refused("POST", "/v1/search", body, 400, param)
        broken = {"query": "[a]", "pictures": {"a": base64.b64encode(b"no picture").decode()}}
        self.refused("POST", "/v1/search", broken, 422, "pictures.a")
        self.refused("POST", "/v1/search", {"query": "[#123456]"}, 404)
        self.refused("POST", "/v1/search", {"query": "a", "collection": "other"}, 404)
        self.refused("POST", "/v1/search", b'{"query":"a","query":"b"}', 400, headers={"Content-Type": "application/json"})
        self.refused("POST", "/v1/search", b"query=a", 415, headers={"Content-Type": "application/x-www-form-urlencoded"})

    def test_adds_gets_and_deletes_items(self):
        outside = next(path for path in sorted(serving.SAMPLES.glob("*.png"), reverse=True))
        new = [{"picture": data_uri(outside), "caption": "new", "metadata": {"tag": "t1"}}, {"text": "a text about boats"}]
        added = self.ask("POST", "/v1/items", {"items": new}, status=201)["items"]
        picture_id, text_id = (row["id"] for row in added)
        kept = Path(added[0]["uri"])
        self.assertEqual(kept.read_bytes(), outside.read_bytes())
        item = self.ask("GET", f"/v1/items/{picture_id}")
        self.assertEqual((item["caption"], item["metadata"], item["kind"]), ("new", {"tag": "t1"}, "picture"))
        self.assertEqual(self.ask("GET", f"/v1/items/{text_id}")["caption"], "a text about boats")
        found = self.ask("POST", "/v1/search", {"query": "boats", "filter": {"metadata.tag": "t1"}})
        self.assertEqual([row["id"] for row in found["results"]], [picture_id])
        status, headers, body = self.server.send("GET", f"/v1/items/{picture_id}/preview?side=64")
        self.assertEqual((status, headers["Content-Type"], body[:2]), (200, "image/jpeg", b"\xff\xd8"))
        again = self.server.send("GET", f"/v1/items/{picture_id}/preview?side=64", headers={"If-None-Match": headers["ETag"]})
        self.assertEqual((again[0], again[2]), (304, b""))
        self.assertEqual(self.server.send("GET", f"/v1/items/{text_id}/preview")[0], 404)
        for row in added:
            self.assertEqual(self.ask("DELETE", f"/v1/items/{row['id']}"), {"deleted": True})
            self.refused("GET", f"/v1/items/{row['id']}", None, 404)
            self.refused("DELETE", f"/v1/items/{row['id']}", None, 404)
        self.assertFalse(kept.exists())

    def test_one_kept_file_serves_all_items_of_its_content(self):
        outside = sorted(serving.SAMPLES.glob("*.png"), reverse=True)[1]
        uris = ["https://example.com/1.png", "https://example.com/2.png"]
        items = [{"picture": data_uri(outside), "uri": uri} for uri in uris]
        first, second = (row["id"] for row in self.ask("POST", "/v1/items", {"items": items}, status=201)["items"])
        kept = list((self.collection / "pictures").iterdir())
        self.assertEqual(len(kept), 1)
        self.ask("DELETE", f"/v1/items/{first}")
        self.assertEqual(self.server.send("GET", f"/v1/items/{second}/preview")[0], 200)
        self.ask("DELETE", f"/v1/items/{second}")
        self.assertEqual(list((self.collection / "pictures").iterdir()), [])

    def test_refuses_items_that_name_files_of_the_server(self):
        for uri in ("/etc/passwd", "file:///etc/passwd", "a b://c", "://", "pictures/x.png"):
            self.refused("POST", "/v1/items", {"items": [{"text": "x", "uri": uri}]}, 400, "items[0].uri")
        self.refused("POST", "/v1/items", {"items": []}, 400, "items")
        self.refused("POST", "/v1/items", {"items": [{"text": "x"}] * 33}, 413, "items")
        self.refused("POST", "/v1/items", {"items": [{"text": "x" * 65537}]}, 413, "items[0].text")
        broken = base64.b64encode(b"\x89PNG broken").decode()
        self.refused("POST", "/v1/items", {"items": [{"text": "x"}, {"picture": broken}]}, 422, "items[1].picture")

    def test_lists_items_newest_first_in_pages(self):
        first = self.ask("GET", "/v1/items?limit=25")
        second = self.ask("GET", f"/v1/items?limit=25&offset={first['next_offset']}")
        ids = [row["id"] for row in first["items"] + second["items"]]
        self.assertEqual((len(ids), len(set(ids)), second["next_offset"]), (first["total"], first["total"], None))
        times = [row["modified"] for row in first["items"] + second["items"]]
        self.assertEqual(times, sorted(times, reverse=True))
        one = self.ask("GET", '/v1/items?filter={"uri":{"contains":"%s"}}' % self.pictures[0].name)
        self.assertEqual((one["total"], one["items"][0]["name"]), (1, self.pictures[0].name))
        self.refused("GET", "/v1/items?limit=x", None, 400, "limit")
        self.refused("GET", "/v1/items?filter=x", None, 400, "filter")
        self.refused("GET", "/v1/items/abc", None, 404)

    def test_classifies_pictures_and_items(self):
        labels = ["a dog", "an airplane", "a banana"]
        plane = next(path for path in self.pictures if "airplane" in path.name)
        sent = self.ask("POST", "/v1/classify", {"pictures": [data_uri(plane)], "labels": labels})["results"][0]["labels"]
        self.assertEqual(sent[0]["label"], "an airplane")
        self.assertAlmostEqual(sum(row["probability"] for row in sent), 1, places=3)
        stored_id = self.ask("POST", "/v1/search", {"query": "[a]", "pictures": {"a": data_uri(plane)}})["results"][0]["id"]
        stored = self.ask("POST", "/v1/classify", {"ids": [stored_id], "labels": labels})["results"][0]["labels"]
        self.assertEqual([row["label"] for row in stored], [row["label"] for row in sent])
        self.refused("POST", "/v1/classify", {"ids": [stored_id], "labels": []}, 400, "labels")
        self.refused("POST", "/v1/classify", {"ids": [999999], "labels": labels}, 404, "ids")

    # OpenAI's and those near it

    def vectors(self, body, path="/v1/embeddings"):
        answer = self.ask("POST", path, body)
        self.assertEqual([row["index"] for row in answer["data"]], list(range(len(answer["data"]))))
        return [row["embedding"] for row in answer["data"]]

    def test_embeds_texts_as_floats_base64_and_shortened(self):
        body = {"model": "mini", "input": ["a cat", "a dog"]}
        floats = self.vectors(body)
        width = len(floats[0])
        for vector, text in zip(floats, self.vectors({**body, "encoding_format": "base64"})):
            unpacked = struct.unpack(f"<{width}f", base64.b64decode(text))
            self.assertEqual([struct.unpack("<f", struct.pack("<f", x))[0] for x in vector], list(unpacked))
        (short,) = self.vectors({"input": "a cat", "dimensions": 16})
        self.assertEqual(len(short), 16)
        self.assertAlmostEqual(cosine(short, floats[0][:16]), 1, places=3)
        self.assertAlmostEqual(sum(x * x for x in short), 1, places=3)
        self.refused("POST", "/v1/embeddings", {"input": "a", "dimensions": width + 1}, 400, "dimensions")

    def test_counts_tokens(self):
        def usage(text):
            return self.ask("POST", "/v1/embeddings", {"input": text})["usage"]["prompt_tokens"]

        self.assertEqual(usage("cat"), 3)  # start, cat, end
        self.assertEqual(usage(["cat", "cat"]), 6)
        self.assertGreater(usage("a cat and a dog"), 5)

    def test_every_dialect_gives_a_picture_the_same_vector(self):
        picture = self.pictures[5]
        uri = data_uri(picture)
        (infinity,) = self.vectors({"model": "mini", "input": [uri], "modality": "image"}, "/embeddings")
        text, jina = self.vectors({"input": [{"text": "a cat"}, {"image": base64_of(picture)}]})
        parts = [{"type": "image_url", "image_url": {"url": uri}}]
        (vllm,) = self.vectors({"messages": [{"role": "user", "content": parts}]})
        cohere = self.ask("POST", "/v2/embed", {"images": [uri], "embedding_types": ["float"]})["embeddings"]["float"][0]
        body, headers = form({"entries": json.dumps({"clip": {"visual": {"modelName": "mini"}}}), "image": picture.read_bytes()})
        immich = self.ask("POST", "/predict", body, headers)
        self.assertEqual((immich["imageWidth"], immich["imageHeight"]), (128, 128))
        for other in (jina, vllm, cohere, json.loads(immich["clip"])):
            self.assertGreater(cosine(infinity, other), SAME)
        self.assertLess(cosine(text, jina), SAME)

    def test_refuses_what_it_cannot_embed(self):
        for body, param in [
            ({}, "input"),
            ({"input": []}, "input"),
            ({"input": [1, 2, 3]}, "input[0]"),
            ({"input": [[1, 2]]}, "input[0]"),
            ({"input": ["a", {"audio": "x"}]}, "input[1]"),
            ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
            ({"input": "a", "modality": "audio"}, "modality"),
            ({"messages": [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]}, "messages"),
        ]:
            with self.subTest(body=body):
                self.refused("POST", "/v1/embeddings", body, 400, param)
        self.refused("POST", "/v1/embeddings", {"input": ["a"] * 33}, 413, "input")
        self.refused("POST", "/v1/embeddings", {"input": ["a", "b" * 65537]}, 413, "input[1]")
        self.refused("POST", "/v1/embeddings", {"input": "a", "model": "other"}, 404)
        self.refused("POST", "/v1/embeddings", {"input": ["x", {"image": "data:image/png;base64,AAAA"}]}, 422, "input[1].image")
        self.refused("POST", "/v1/embeddings", {"input": [{"image": "http://127.0.0.1:1/"}]}, 400, "input[0].image")

    # Other servers

    def test_answers_as_tei(self):
        (one,) = self.ask("POST", "/embed", {"inputs": "a cat"})
        two = self.ask("POST", "/", {"inputs": ["a cat", "a dog"], "normalize": True})
        self.assertGreater(cosine(one, two[0]), SAME)
        self.assertEqual(self.ask("GET", "/info")["model_id"], "mini")
        error = self.ask("POST", "/embed", {"inputs": 1}, status=400)
        self.assertEqual(sorted(error), ["error", "error_type"])
        self.ask("POST", "/embed", {"inputs": "a cat", "truncate": False})
        self.ask("POST", "/embed", {"inputs": "cat " * 200, "truncate": False}, status=413)

    def test_answers_as_clip_retrieval(self):
        self.assertEqual(self.ask("GET", "/indices-list"), ["pics"])
        picture = self.pictures[9]
        asked = {"text": None, "image": base64_of(picture), "embedding_input": None, "deduplicate": True, "indice_name": "pics",
                 "use_safety_model": True, "aesthetic_score": 9, "modality": "image", "num_images": 2, "num_result_ids": 3}
        rows = self.ask("POST", "/knn-service", json.dumps(asked).encode(), {"Content-Type": ""})
        self.assertTrue(rows[0]["url"].endswith(picture.name))
        self.assertIn("caption", rows[1])
        self.assertEqual(sorted(rows[2]), ["id", "similarity"])
        known = self.ask("POST", "/metadata", {"indice_name": "pics", "ids": [rows[0]["id"], 999999]})
        self.assertEqual([(row["id"], row["metadata"]["width"]) for row in known], [(rows[0]["id"], 128)])
        self.refused("POST", "/knn-service", {**asked, "image": None}, 400, "text")
        self.refused("POST", "/knn-service", {**asked, "image": None, "embedding_input": [1, 2]}, 422, "embedding_input")

    def test_answers_as_immich(self):
        self.assertEqual(self.server.send("GET", "/ping")[2], b"pong")
        entries = json.dumps({"clip": {"textual": {"modelName": "mini", "options": {"language": "en"}}}})
        body, headers = form({"entries": entries, "text": "a cat"})
        vector = json.loads(self.ask("POST", "/predict", body, headers)["clip"])
        self.assertGreater(cosine(vector, self.vectors({"input": "a cat"})[0]), SAME)
        faces = {"facial-recognition": {"detection": {"modelName": "buffalo_l", "options": {"minScore": 0.7}}}}
        body, headers = form({"entries": json.dumps(faces), "image": b"x"})
        self.refused("POST", "/predict", body, 422, "entries", headers)
        body, headers = form({"entries": entries})
        self.refused("POST", "/predict", body, 400, "text", headers)
        self.refused("POST", "/predict", body[:-10], 400, None, headers)

    def test_has_a_document_of_itself(self):
        document = self.ask("GET", "/openapi.json")
        self.assertEqual(document["openapi"], "3.1.0")
        self.assertIn("/v1/search", document["paths"])


class ReadOnlyTest(unittest.TestCase):
    def test_takes_no_items(self):
        with tempfile.TemporaryDirectory() as folder:
            serving.make_collection(BINARY, Path(folder))
            with serving.Server(BINARY, Path(folder) / "pics.tandem") as server:
                server.ask("POST", "/v1/items", {"items": [{"text": "x"}]}, status=403)
                server.ask("DELETE", "/v1/items/1", status=403)
                self.assertEqual(server.ask("GET", "/v1/collections")["collections"][0]["writable"], False)


# Copies the collection to a disk of 2 MB that only the server sees.
SMALL_DISK = 'mkdir -p "$1" && mount -t tmpfs -o size=2m tmpfs "$1" && cp -r "$0" "$1" && head -c 300000 /dev/zero >"$1/filler" && shift && exec "$@"'


class DiskFullTest(unittest.TestCase):
    def setUp(self):
        if subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode != 0:
            self.skipTest("this kernel lets nobody make a small disk (unshare -Urm)")

    def test_says_507_keeps_what_was_acknowledged_and_goes_on_once_there_is_room(self):
        with tempfile.TemporaryDirectory() as folder:
            serving.make_collection(BINARY, Path(folder))
            disk = Path(folder) / "disk"
            before = ["unshare", "-Urm", "sh", "-c", SMALL_DISK, str(Path(folder) / "pics.tandem"), str(disk)]
            with serving.Server(Path(BINARY).resolve(), disk / "pics.tandem", "--writable", before=before) as server:
                kept, status = [], 201
                for seed in range(100):
                    picture = base64.b64encode(serving.noise_png(seed)).decode()
                    status, _, body = server.send("POST", "/v1/items", {"items": [{"picture": picture}]})
                    if status != 201:
                        break
                    kept.append(json.loads(body)["items"][0]["id"])
                self.assertEqual((status, json.loads(body)["error"]["type"]), (507, "storage_full"))
                self.assertGreater(len(kept), 5)
                self.assertEqual(server.ask("GET", "/v1/collections")["collections"][0]["items"], 40 + len(kept))
                for id in kept:
                    self.assertEqual(server.send("GET", f"/v1/items/{id}/preview?side=32")[0], 200)
                Path(f"/proc/{server.process.pid}/root{disk}/filler").unlink()
                server.ask("DELETE", f"/v1/items/{kept[0]}")
                server.ask("POST", "/v1/items", {"items": [{"text": "there is room again"}]}, status=201)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default=BINARY)
    known, rest = parser.parse_known_args()
    BINARY = known.bin
    unittest.main(argv=[sys.argv[0], *rest])
