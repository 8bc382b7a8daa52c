#!/usr/bin/env python3
"""Checks what stand_in.py recorded for Qdrant by Qdrant's own means, which the tests do not have:

    check_recorded.py RECORD --openapi FILE     each request and answer by the schemas of qdrant/qdrant docs/redoc/master/openapi.json
    check_recorded.py RECORD --local            each request asked again of qdrant-client's local mode; the answers must agree

Needs jsonschema and qdrant-client from PyPI. Prints what disagrees, and exits 1 when something does.
"""
import argparse
import json
import re
import sys


def by_schema(lines, openapi):
    import jsonschema

    whole = json.load(open(openapi))

    def nullable(tree):  # OpenAPI 3.0 says null in a way of its own
        if isinstance(tree, list):
            return [nullable(one) for one in tree]
        if not isinstance(tree, dict):
            return tree
        tree = {name: nullable(one) for name, one in tree.items()}
        if tree.get("nullable") and "type" in tree:
            tree["type"] = [tree["type"], "null"]
        elif tree.get("nullable") and len(tree) == 1:
            tree = {"type": "null"}
        return tree

    whole = nullable(whole)
    for line in lines:
        path = re.sub(r"^/collections/[^/?]+", "/collections/{collection_name}", line["path"]).split("?")[0]
        operation = whole["paths"].get(path, {}).get(line["method"].lower())
        if operation is None:
            yield line, "no such operation"
            continue
        parts = [("request", line["request"], operation.get("requestBody"))]
        if line["status"] == 200:
            parts.append(("answer", line["answer"], operation["responses"].get("200")))
        for what, value, holder in parts:
            if holder is None or value is None:
                continue
            schema = {**holder["content"]["application/json"]["schema"], "components": whole["components"]}
            try:
                jsonschema.validate(value, schema)
            except jsonschema.ValidationError as error:
                yield line, f"{what}: {error.message[:200]}"


def by_local(lines):
    import pydantic
    from qdrant_client import QdrantClient, models

    client, filters = QdrantClient(":memory:"), pydantic.TypeAdapter(models.Filter)
    for line in lines:
        found = re.match(r"/collections/([^/?]+)(/[a-z/]+)?", line["path"])
        if not found or line["status"] != 200 or line["method"] == "GET":
            continue
        name, what, body = found.group(1), found.group(2) or "", line["request"]
        tree = filters.validate_python(body["filter"]) if body.get("filter") else None
        result = line["answer"]["result"]
        if what == "":
            client.create_collection(name, models.VectorParams(**body["vectors"]))
        elif (line["method"], what) == ("PUT", "/points"):
            client.upsert(name, [models.PointStruct(**point) for point in body["points"]])
        elif what == "/points/delete":
            client.delete(name, body["points"])
        elif what == "/points/count":
            got = client.count(name, tree, exact=True).count
            if got != result["count"]:
                yield line, f"count {got}, not {result['count']}"
        elif what == "/points/scroll":
            points, _ = client.scroll(name, tree, limit=body["limit"], offset=body.get("offset"))
            if [point.id for point in points] != [point["id"] for point in result["points"]]:
                yield line, "other points"
        elif what == "/points/query":
            points = client.query_points(name, body["query"], query_filter=tree, limit=body["limit"]).points
            got, want = {p.id: p.score for p in points}, {p["id"]: p["score"] for p in result["points"]}
            least = min(want.values(), default=0) + 1e-4  # of equals, either may be the last
            scores = zip(sorted(got.values()), sorted(want.values()))
            if len(got) != len(want) or any(abs(one - other) > 1e-4 for one, other in scores) \
                    or any(one not in got for one, score in want.items() if score > least):
                yield line, "other points or scores"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("record")
    parser.add_argument("--openapi")
    parser.add_argument("--local", action="store_true")
    options = parser.parse_args()
    lines = [json.loads(line) for line in open(options.record)]
    wrong = list(by_local(lines) if options.local else by_schema(lines, options.openapi))
    for line, why in wrong[:20]:
        print(line["method"], line["path"], why, json.dumps(line["request"])[:300])
    print(f"{len(lines)} requests, {len(wrong)} disagree")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
