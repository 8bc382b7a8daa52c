#!/usr/bin/env python3
"""`tandem serve`, asked by other projects' own clients: openai, clip-retrieval, huggingface_hub and mcp.

    tests/serve/clients.sh build/release        makes the environment first (tools/deps/clients.txt)
"""
import argparse
import asyncio
import base64
import importlib.util
import sys
import tempfile
import unittest
from pathlib import Path

import mcp
import numpy as np
import openai
from huggingface_hub import InferenceClient

sys.path.insert(0, str(Path(__file__).parent))
import server as serving

BINARY = "build/release/bin/tandem"


def clip_client():
    """clip_retrieval.clip_client by its file: the package's own __init__ wants all of its server."""
    package = importlib.util.find_spec("clip_retrieval").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("clip_client", Path(package) / "clip_client.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.pictures = serving.make_collection(BINARY, Path(cls.folder.name))
        cls.collection = Path(cls.folder.name) / "pics.tandem"
        cls.server = serving.Server(BINARY, cls.collection).__enter__()
        cls.openai = openai.OpenAI(base_url=cls.server.url + "/v1", api_key="none", max_retries=0)

    @classmethod
    def tearDownClass(cls):
        cls.openai.close()
        cls.server.__exit__()
        cls.folder.cleanup()

    def test_openai_embeds_texts(self):
        answer = self.openai.embeddings.create(model="mini", input=["a cat", "a dog"], user="someone")
        vectors = np.array([row.embedding for row in answer.data])
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        self.assertEqual((answer.model, answer.usage.prompt_tokens), ("mini", 8))
        # The client asks for base64 unless told otherwise: both must be the same numbers.
        floats = self.openai.embeddings.create(model="mini", input=["a cat", "a dog"], encoding_format="float")
        np.testing.assert_array_equal(np.float32(vectors), np.float32([row.embedding for row in floats.data]))
        short = self.openai.embeddings.create(model="mini", input="a cat", dimensions=32)
        self.assertEqual(len(short.data[0].embedding), 32)

    def test_openai_lists_models_and_reads_errors(self):
        (model,) = self.openai.models.list().data
        self.assertEqual((model.id, self.openai.models.retrieve("mini").id), ("mini", "mini"))
        with self.assertRaises(openai.NotFoundError):
            self.openai.embeddings.create(model="text-embedding-3-small", input="a")
        with self.assertRaises(openai.BadRequestError) as refused:
            self.openai.embeddings.create(model="mini", input=[1, 2, 3])
        self.assertEqual(refused.exception.body["param"], "input[0]")

    def test_openai_sends_pictures_as_infinity_takes_them(self):
        uri = serving.data_uri(self.pictures[0])
        extra = {"modality": "image"}
        picture = self.openai.embeddings.create(model="mini", input=[uri], extra_body=extra).data[0].embedding
        messages = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": uri}}]}]}
        vllm = self.openai.post("/embeddings", cast_to=openai.types.CreateEmbeddingResponse, body={"model": "mini", **messages})
        np.testing.assert_allclose(picture, vllm.data[0].embedding, atol=5e-3)

    def test_clip_retrieval_finds_by_text_picture_and_vector(self):
        module = clip_client()
        client = module.ClipClient(url=self.server.url + "/knn-service", indice_name="pics", num_images=5)
        plane = next(path for path in self.pictures if "airplane" in path.name)
        by_text = client.query(text="an airplane")
        self.assertEqual(len(by_text), 5)
        self.assertEqual(sorted(by_text, key=lambda row: -row["similarity"]), by_text)
        for row in by_text:
            self.assertTrue({"id", "similarity", "url", "caption"} <= set(row))
        self.assertTrue(client.query(image=str(plane))[0]["url"].endswith(plane.name))
        vector = self.openai.embeddings.create(model="mini", input="an airplane").data[0].embedding
        by_vector = client.query(embedding_input=vector)
        self.assertEqual(by_vector[0]["id"], by_text[0]["id"])
        texts = module.ClipClient(url=self.server.url + "/knn-service", indice_name="pics", modality=module.Modality.TEXT)
        self.assertEqual(texts.query(text="an airplane"), [])

    def test_hugging_face_extracts_features(self):
        client = InferenceClient(model=self.server.url)
        vector = client.feature_extraction("a cat", normalize=True)
        expected = self.openai.embeddings.create(model="mini", input="a cat").data[0].embedding
        np.testing.assert_allclose(np.ravel(vector), expected, atol=5e-3)
        both = InferenceClient(model=self.server.url + "/embed").feature_extraction(["a cat", "a dog"])
        self.assertEqual(np.shape(both)[0], 2)

    def test_mcp_calls_tools(self):
        asyncio.run(self.call_tools())

    async def call_tools(self):
        command = mcp.StdioServerParameters(command=str(Path(BINARY).resolve()), args=["serve", str(self.collection), "--mcp"], cwd=str(Path.cwd()))
        async with mcp.Client(command) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            self.assertIn("search", names)
            plane = next(path for path in self.pictures if "airplane" in path.name)
            found = await client.call_tool("search", {"query": f"[{plane}]", "limit": 3})
            self.assertFalse(found.is_error)
            best = found.structured_content["results"][0]
            self.assertEqual(best["name"], plane.name)
            for tool, arguments in [
                ("classify", {"pictures": [str(plane)], "labels": ["an airplane", "a cat"]}),
                ("similarity", {"things": [{"text": "an airplane"}, {"picture": str(plane)}]}),
                ("list_collections", {}),
            ]:
                answer = await client.call_tool(tool, arguments)  # which checks the answer against the tool's schema
                self.assertFalse(answer.is_error, answer)
            shown = await client.call_tool("show_item", {"id": best["id"]})
            self.assertEqual(base64.b64decode(shown.content[1].data)[:2], b"\xff\xd8")
            refused = await client.call_tool("search", {"query": "[/no/such.png]"})
            self.assertTrue(refused.is_error)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default=BINARY)
    known, rest = parser.parse_known_args()
    BINARY = known.bin
    unittest.main(argv=[sys.argv[0], *rest])
