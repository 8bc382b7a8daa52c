#!/usr/bin/env python3
"""Checks what stand_in.py recorded for Qdrant and Milvus by their own means, which the tests do not have:

    check_recorded.py RECORD --openapi FILE     each request and answer by the schemas of qdrant/qdrant docs/redoc/master/openapi.json
    check_recorded.py RECORD --local            each request asked again of qdrant-client's local mode; the answers must agree
    check_recorded.py RECORD --milvus           each request put to Milvus Lite, in its own words; the answers must agree

Needs jsonschema, qdrant-client, pymilvus and milvus-lite from PyPI. Prints what disagrees, and exits 1 when something does.
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


def by_milvus(lines):
    import tempfile
    from pymilvus import DataType, MilvusClient

    types = {"Int64": DataType.INT64, "VarChar": DataType.VARCHAR, "JSON": DataType.JSON, "FloatVector": DataType.FLOAT_VECTOR}
    client = MilvusClient(tempfile.mkdtemp() + "/milvus.db")
    for line in lines:
        what, body = line["path"].removeprefix("/v2/vectordb/"), line["request"]
        if line["answer"]["code"] != 0:
            continue
        name, data = body["collectionName"], line["answer"]["data"]
        try:
            if what == "collections/create":
                schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
                for field in body["schema"]["fields"]:
                    sizes = {key: int(value) for key, value in field.get("elementTypeParams", {}).items()}
                    schema.add_field(field["fieldName"], types[field["dataType"]], is_primary=field.get("isPrimary", False), **sizes)
                index = client.prepare_index_params()
                index.add_index("embedding", index_type="AUTOINDEX", metric_type=body["indexParams"][0]["metricType"])
                client.create_collection(name, schema=schema, index_params=index, consistency_level="Strong")
            elif what == "entities/upsert":
                client.upsert(name, body["data"])
            elif what == "entities/delete":
                client.delete(name, filter=body["filter"])
            elif what == "entities/query" and body["outputFields"] == ["count(*)"]:
                got = client.query(name, filter=body["filter"], output_fields=["count(*)"])[0]["count(*)"]
                if got != data[0]["count(*)"]:
                    yield line, f"count {got}, not {data[0]['count(*)']}"
            elif what == "entities/query":
                got = client.query(name, filter=body["filter"], output_fields=["id"], limit=body["limit"])
                if {row["id"] for row in got} != {row["id"] for row in data}:
                    yield line, f"{len(got)} rows, not {len(data)}, or others"
            elif what == "entities/search":
                got = client.search(name, data=body["data"], filter=body["filter"], limit=body["limit"], output_fields=["id"],
                                    search_params={"metric_type": "COSINE"})[0]
                scores = zip((row["distance"] for row in got), (row["distance"] for row in data))
                if len(got) != len(data) or any(abs(one - other) > 1e-4 for one, other in scores):
                    yield line, f"{len(got)} hits, not {len(data)}, or other scores"
        except Exception as error:  # pylint: disable=broad-except
            yield line, str(error)[:300]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("record")
    parser.add_argument("--openapi")
    parser.add_argument("--local", action="store_true")
    parser.add_argument("--milvus", action="store_true")
    options = parser.parse_args()
    lines = [json.loads(line) for line in open(options.record)]
    wrong = list(by_local(lines) if options.local else by_milvus(lines) if options.milvus else by_schema(lines, options.openapi))
    for line, why in wrong[:20]:
        print(line["method"], line["path"], why, json.dumps(line["request"])[:300])
    print(f"{len(lines)} requests, {len(wrong)} disagree")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
