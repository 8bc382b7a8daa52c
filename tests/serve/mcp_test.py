#!/usr/bin/env python3
"""`tandem serve --mcp` over its pipes: the protocol, the tools, and hostile input. Standard library only.

    python3 tests/serve/mcp_test.py --bin build/release/bin/tandem
"""
import argparse
import base64
import json
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import server as serving

BINARY = "build/release/bin/tandem"


def request(id, method, /, **params):
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def call(id, tool, /, **arguments):
    return request(id, "tools/call", name=tool, arguments=arguments)


def initialize(version="2025-06-18"):
    return request(0, "initialize", protocolVersion=version, capabilities={}, clientInfo={"name": "test", "version": "1"})


class McpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.pictures = serving.make_collection(BINARY, Path(cls.folder.name))
        cls.collection = Path(cls.folder.name) / "pics.tandem"

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def talk(self, *lines):
        """What it answers to these lines (objects, or bytes as they are), in order; nothing else may be on its stdout."""
        sent = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
        done = subprocess.run([BINARY, "serve", self.collection, "--mcp"], input=sent, capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        for answer in answers:
            for one in answer if isinstance(answer, list) else [answer]:
                self.assertEqual(one["jsonrpc"], "2.0")
                self.assertEqual(("result" in one) + ("error" in one), 1)
        return answers

    def test_agrees_on_a_version(self):
        for asked, agreed in [("2024-11-05", "2024-11-05"), ("2025-03-26", "2025-03-26"), ("2025-06-18", "2025-06-18"), ("1999-01-01", "2025-11-25")]:
            (answer,) = self.talk(initialize(asked))
            self.assertEqual(answer["result"]["protocolVersion"], agreed)
            self.assertIn("tools", answer["result"]["capabilities"])

    def test_lists_tools_with_schemas(self):
        answers = self.talk(initialize(), {"jsonrpc": "2.0", "method": "notifications/initialized"}, request("a", "tools/list"), request(2, "ping"))
        self.assertEqual([answer["id"] for answer in answers], [0, "a", 2])
        tools = {tool["name"]: tool for tool in answers[1]["result"]["tools"]}
        self.assertEqual(sorted(tools), ["classify", "list_collections", "search", "show_item", "similarity"])
        for tool in tools.values():
            self.assertEqual((tool["inputSchema"]["type"], tool["outputSchema"]["type"]), ("object", "object"))

    def test_tools_answer_in_structure_and_in_text(self):
        plane = next(path for path in self.pictures if "airplane" in path.name)
        answers = self.talk(
            initialize(),
            call(1, "search", query=f"[{plane}]", limit=2),
            call(2, "classify", pictures=[str(plane)], labels=["an airplane", "a banana"]),
            call(3, "list_collections"),
            call(4, "similarity", things=[{"text": "an airplane"}, {"picture": str(plane)}, {"text": "a banana"}]),
            call(5, "search", query="nothing", filter={"uri": {"contains": "no such name"}}),
        )
        results = [answer["result"] for answer in answers[1:]]
        for result in results:
            self.assertFalse(result["isError"], result)
            self.assertEqual(result["content"][0]["type"], "text")
        best = results[0]["structuredContent"]["results"][0]
        self.assertEqual(best["name"], plane.name)
        self.assertIn(plane.name, results[0]["content"][0]["text"])
        self.assertEqual(results[1]["structuredContent"]["results"][0]["labels"][0]["label"], "an airplane")
        self.assertEqual(results[2]["structuredContent"]["collections"][0]["name"], "pics")
        pairs = {(pair["a"], pair["b"]): pair for pair in results[3]["structuredContent"]["pairs"]}
        self.assertGreater(pairs[0, 1]["cosine"], pairs[1, 2]["cosine"])
        self.assertIn("related", pairs[0, 1]["words"])
        self.assertEqual(results[4]["content"][0]["text"], "Nothing found.\n")
        (_, shown) = self.talk(initialize(), call(6, "show_item", id=best["id"], side=64))
        picture = shown["result"]["content"][1]
        self.assertEqual((picture["type"], picture["mimeType"]), ("image", "image/jpeg"))
        self.assertEqual(base64.b64decode(picture["data"])[:2], b"\xff\xd8")

    def test_what_goes_wrong_in_a_tool_is_told_to_the_assistant(self):
        cases = [
            ("search", {}), ("search", {"query": "a", "limit": "x"}), ("search", {"query": "[/no/such/file.png]"}),
            ("search", {"query": "a", "where": "1"}), ("search", {"query": "a", "collection": "other"}),
            ("classify", {"labels": ["a"]}), ("classify", {"pictures": ["/etc/hostname"], "labels": ["a"]}),
            ("similarity", {"things": [{"text": "a"}]}), ("similarity", {"things": [{"text": "a"}, {"id": 999999}]}),
            ("show_item", {"id": -1}), ("show_item", {}), ("list_collections", {"x": 1}),
        ]
        answers = self.talk(initialize(), *[call(i, name, **arguments) for i, (name, arguments) in enumerate(cases, 1)])
        for answer, case in zip(answers[1:], cases, strict=True):
            self.assertTrue(answer["result"]["isError"], case)
            self.assertTrue(answer["result"]["content"][0]["text"], case)

    def test_what_is_no_request_is_refused(self):
        cases = [
            (b"junk", -32700), (b"[" * 100_000, -32700), (b"\xff\xfe", -32700), (b'{"a":1,"a":2}', -32700),
            (b"[]", -32600), (b"1", -32600), ({"id": 1, "method": "ping"}, -32600), ({"jsonrpc": "2.0", "id": 1}, -32600),
            ({"jsonrpc": "2.0", "id": None, "method": "ping"}, -32600), (request(1, "resources/list"), -32601),
            ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}, -32602), (request(1, "tools/call", name="rm"), -32602),
            (request(1, "initialize"), -32602),
        ]
        answers = self.talk(initialize(), *[line for line, _ in cases])
        self.assertEqual([answer["error"]["code"] for answer in answers[1:]], [code for _, code in cases])

    def test_notifications_and_answers_are_not_answered(self):
        lines = [
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
            {"jsonrpc": "2.0", "method": "no/such"}, {"jsonrpc": "2.0", "id": 9, "result": {}}, b"", b"\r",
        ]
        self.assertEqual(self.talk(*lines), [])

    def test_takes_batches_in_the_one_version_that_has_them(self):
        batch = [request(1, "ping"), {"jsonrpc": "2.0", "method": "x"}, request(2, "no/such")]
        (_, answers) = self.talk(initialize("2025-03-26"), batch)
        self.assertEqual([("result" in one, one["id"]) for one in answers], [(True, 1), (False, 2)])
        (_, refused) = self.talk(initialize("2025-06-18"), batch)
        self.assertEqual(refused["error"]["code"], -32600)

    def test_survives_lines_that_are_too_long(self):
        (refused, pong) = self.talk(b'{"jsonrpc":"2.0","x":"' + b"x" * (33 << 20) + b'"}', request(1, "ping"))
        self.assertEqual(refused["error"]["code"], -32600)
        self.assertEqual(pong["result"], {})

    def test_survives_damaged_messages(self):
        chance = random.Random(7)
        whole = json.dumps(call(1, "search", query="a cat + [#1] - 2*dog", filter={"width": {"gte": 5}}, limit=2)).encode()
        lines = []
        for _ in range(400):
            line = bytearray(whole)
            for _ in range(chance.randint(1, 4)):
                line[chance.randrange(len(line))] = chance.randrange(256)
            lines.append(bytes(line).replace(b"\n", b" "))
        answers = self.talk(initialize(), *lines, request("last", "ping"))
        self.assertEqual(answers[-1], {"jsonrpc": "2.0", "id": "last", "result": {}})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default=BINARY)
    known, rest = parser.parse_known_args()
    BINARY = known.bin
    unittest.main(argv=[sys.argv[0], *rest])
