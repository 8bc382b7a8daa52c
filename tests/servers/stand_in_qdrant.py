"""Qdrant as its own description has it (qdrant/qdrant docs/redoc/master/openapi.json): the requests that Tandem makes,
checked against the shapes there, and answers of the same shapes.
"""
import math
import re

from shapes import anything, id_number, problem

CONDITION = {"key": str, "match": {"value": (str, bool, int)}}, {"key": str, "range": {"gte?": float, "gt?": float, "lte?": float, "lt?": float}}


def condition_shape(value):
    return problem(value, CONDITION) is None or problem(value, FILTER) is None


FILTER = {"must?": [condition_shape], "should?": [condition_shape], "must_not?": [condition_shape]}
SHAPES = {
    ("PUT", "/collections/C"): {"vectors": {"size": int, "distance": {"Cosine", "Dot", "Euclid", "Manhattan"}}},
    ("PUT", "/collections/C/index?wait=true"): {"field_name": str, "field_schema": {"keyword", "integer", "float", "bool"}},
    ("PUT", "/collections/C/points?wait=true"): {"points": [{"id": id_number, "vector": [float], "payload?": {"*": anything}}]},
    ("POST", "/collections/C/points"): {"ids": [id_number], "with_payload?": bool, "with_vector?": bool},
    ("POST", "/collections/C/points/delete?wait=true"): {"points": [id_number]},
    ("POST", "/collections/C/points/scroll"): {"limit?": int, "offset?": id_number, "filter?": FILTER, "with_payload?": bool,
                                               "with_vector?": bool},
    ("POST", "/collections/C/points/count"): {"filter?": FILTER, "exact?": bool},
    ("POST", "/collections/C/points/query"): {"query": [float], "limit?": int, "filter?": FILTER, "with_payload?": bool},
}
CONFIG = {"params": {}, "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000},
          "optimizer_config": {"default_segment_number": 0, "flush_interval_sec": 5}}


def values_at(payload, path):
    """All values at a path; lists on the way and at its end stand for each of their entries."""
    found = [payload]
    for key in path.split("."):
        found = [entry[key] for value in found for entry in (value if isinstance(value, list) else [value])
                 if isinstance(entry, dict) and key in entry]
    return [entry for value in found for entry in (value if isinstance(value, list) else [value])]


def holds(point, condition):
    if "key" not in condition:
        return passes(point, condition)
    values = values_at(point["payload"], condition["key"])
    if "match" in condition:
        want = condition["match"]["value"]
        return any(type(value) is type(want) and value == want for value in values)
    signs = {"gte": lambda a, b: a >= b, "gt": lambda a, b: a > b, "lte": lambda a, b: a <= b, "lt": lambda a, b: a < b}
    return any(isinstance(value, (int, float)) and not isinstance(value, bool)
               and all(signs[sign](float(value), float(bound)) for sign, bound in condition["range"].items()) for value in values)


def passes(point, tree):
    return (all(holds(point, one) for one in tree.get("must", []))
            and ("should" not in tree or any(holds(point, one) for one in tree["should"]))
            and not any(holds(point, one) for one in tree.get("must_not", [])))


def cosine(a, b):
    norm = math.sqrt(sum(x * x for x in a) * sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b)) / norm if norm else 0.0


class Qdrant:
    def __init__(self):
        self.collections = {}

    def refusal(self, status, message):
        return status, {"status": {"error": message}, "time": 0.0}

    def authorized(self, headers):
        return headers.get("api-key", "") != "wrong"

    def answer(self, method, target, body):
        if (method, target) == ("GET", "/"):
            return 200, {"title": "qdrant - vector search engine", "version": "1.15.0", "commit": "stand-in"}
        found = re.match(r"/collections/([^/?]+)(.*)$", target)
        if not found:
            return self.refusal(404, "no such path")
        name, rest = found.groups()
        if method != "GET":
            shape = SHAPES.get((method, "/collections/C" + rest))
            wrong = f"no such request: {method} {rest}" if shape is None else problem(body, shape)
            if wrong:
                return self.refusal(400, "Format error in JSON body: " + wrong)
        if (method, rest) == ("PUT", "") and name not in self.collections:
            self.collections[name] = {"size": body["vectors"]["size"], "points": {}}
            return 200, {"result": True, "status": "ok", "time": 0.0}
        if name not in self.collections:
            return self.refusal(404, f"Not found: Collection `{name}` doesn't exist!")
        if (method, rest) == ("PUT", ""):
            return self.refusal(409, f"Wrong input: Collection `{name}` already exists!")
        return self.of_collection(self.collections[name], method, rest, body)

    def of_collection(self, collection, method, rest, body):
        points = collection["points"]

        def ok(result):
            return 200, {"result": result, "status": "ok", "time": 0.0}

        def shown(point):
            out = {"id": point["id"], "payload": point["payload"] if body.get("with_payload") else None}
            if body.get("with_vector"):
                out["vector"] = point["vector"]
            return out

        if method == "GET":
            return ok({"status": "green", "optimizer_status": "ok", "segments_count": 1, "config": CONFIG, "payload_schema": {},
                       "points_count": len(points)})
        if rest.startswith("/index"):
            return ok({"operation_id": 1, "status": "completed"})
        if rest == "/points?wait=true":
            for point in body["points"]:
                if len(point["vector"]) != collection["size"]:
                    return self.refusal(400, f"Wrong input: Vector dimension error: expected dim: {collection['size']}, got "
                                             f"{len(point['vector'])}")
            points.update({point["id"]: {"payload": {}, **point} for point in body["points"]})
            return ok({"operation_id": 2, "status": "completed"})
        if rest == "/points":
            return ok([shown(points[one]) for one in dict.fromkeys(body["ids"]) if one in points])
        if rest.startswith("/points/delete"):
            for one in body["points"]:
                points.pop(one, None)
            return ok({"operation_id": 3, "status": "completed"})
        kept = [points[one] for one in sorted(points) if passes(points[one], body.get("filter", {}))]
        if rest == "/points/count":
            return ok({"count": len(kept)})
        limit = body.get("limit", 10)
        if rest == "/points/scroll":
            kept = [point for point in kept if point["id"] >= body.get("offset", 0)]
            more = kept[limit]["id"] if len(kept) > limit else None
            return ok({"points": [shown(point) for point in kept[:limit]], "next_page_offset": more})
        if len(body["query"]) != collection["size"]:
            return self.refusal(400, "Wrong input: Vector dimension error")
        scored = sorted(((cosine(point["vector"], body["query"]), point) for point in kept), key=lambda one: -one[0])
        return ok({"points": [{**shown(point), "version": 0, "score": score} for score, point in scored[:limit]]})

    def lossy(self, target, answer):
        """As an approximate index does: leaves some out."""
        if target.endswith("/points/query") and answer[0] == 200:
            answer[1]["result"]["points"] = answer[1]["result"]["points"][::2]
        return answer
