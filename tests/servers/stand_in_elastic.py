"""Elasticsearch (elastic/elasticsearch-specification; reference "dense_vector", "kNN search") and OpenSearch (opensearch-api-
specification; "k-NN vector", "k-NN query"): the requests that Tandem makes, checked against the shapes there, and answers of the
same shapes.
"""
import json
import re

from shapes import anything, problem
from stand_in_qdrant import cosine

NUMBER_OR_TEXT = (int, float, str)


def query_shape(value):
    return problem(value, QUERY) is None


QUERY = (
    {"match_all": {}},
    {"ids": {"values": [str]}},
    {"term": {"*": NUMBER_OR_TEXT}},
    {"terms": {"*": [NUMBER_OR_TEXT]}},
    {"range": {"*": {"gte?": int, "gt?": int, "lte?": int, "lt?": int}}},
    {"bool": {"filter?": [query_shape], "should?": [query_shape], "must_not?": [query_shape], "minimum_should_match?": int}},
)
KEYWORD = {"type": {"keyword"}, "ignore_above": int}
FIELD = (KEYWORD, {"type": {"long"}}, {"type": {"object"}, "enabled": bool})
VECTOR = {
    "elasticsearch": {"type": {"dense_vector"}, "dims": int, "index": bool, "similarity": {"cosine"},
                      "index_options": {"type": {"hnsw"}}},
    "opensearch": {"type": {"knn_vector"}, "dimension": int,
                   "method": {"name": {"hnsw"}, "engine": {"lucene"}, "space_type": {"cosinesimil"}}},
}
COMMON = {"size?": int, "sort?": [{"id": {"asc"}}], "search_after?": [int], "_source?": {"excludes": [str]}}
SEARCH = {
    "elasticsearch": ({"query": query_shape, "fields?": [str], **COMMON},
                      {"knn": {"field": {"embedding"}, "query_vector": [float], "k": int, "num_candidates": int, "filter?": query_shape},
                       "fields?": [str], **COMMON}),
    "opensearch": ({"query": query_shape, **COMMON},
                   {"query": {"knn": {"embedding": {"vector": [float], "k": int, "filter?": query_shape}}}, **COMMON}),
}


class Elastic:
    def __init__(self, kind):
        self.kind = kind
        self.indexes = {}

    def refusal(self, status, kind, reason):
        return status, {"error": {"root_cause": [{"type": kind, "reason": reason}], "type": kind, "reason": reason}, "status": status}

    def authorized(self, headers):
        return headers.get("authorization", "") not in ("ApiKey wrong", "Basic d3Jvbmc6d3Jvbmc=")

    def answer(self, method, target, body):
        if (method, target) == ("GET", "/"):
            version = {"number": "9.1.0"} if self.kind == "elasticsearch" else {"number": "2.19.0", "distribution": "opensearch"}
            return 200, {"name": "stand-in", "version": version, "tagline": "You Know, for Search"}
        found = re.match(r"/([a-z0-9_]+)(/[a-z_]+)?(\?refresh=true)?$", target)
        if not found:
            return self.refusal(400, "illegal_argument_exception", "no such path: " + target)
        name, what = found.group(1), found.group(2) or ""
        if (method, what) == ("PUT", ""):
            return self.create(name, body)
        if name not in self.indexes:
            return self.refusal(404, "index_not_found_exception", f"no such index [{name}]")
        handler = {("GET", "/_mapping"): self.mapping, ("PUT", "/_mapping"): self.set_meta, ("POST", "/_bulk"): self.bulk,
                   ("POST", "/_search"): self.search, ("POST", "/_count"): self.count, ("GET", "/_count"): self.count}.get((method, what))
        if handler is None:
            return self.refusal(405, "illegal_argument_exception", f"no such request: {method} {target}")
        return handler(name, self.indexes[name], body)

    def create(self, name, body):
        shape = {"mappings": {"dynamic": {False}, "_meta": {"*": str}, "properties": {"embedding": VECTOR[self.kind], "*": FIELD}}}
        if self.kind == "opensearch":
            shape["settings"] = {"index.knn": {True}}
        wrong = problem(body, shape)
        if wrong:
            return self.refusal(400, "mapper_parsing_exception", wrong)
        if name in self.indexes:
            return self.refusal(400, "resource_already_exists_exception", f"index [{name}] already exists")
        self.indexes[name] = {"mappings": body["mappings"], "documents": {}}
        return 200, {"acknowledged": True, "shards_acknowledged": True, "index": name}

    def mapping(self, name, index, _):
        return 200, {name: {"mappings": index["mappings"]}}

    def set_meta(self, _, index, body):
        wrong = problem(body, {"_meta": {"*": str}})
        if wrong:
            return self.refusal(400, "illegal_argument_exception", wrong)
        index["mappings"]["_meta"] = body["_meta"]
        return 200, {"acknowledged": True}

    def bulk(self, _, index, lines):
        if not lines.endswith("\n"):
            return self.refusal(400, "illegal_argument_exception", "The bulk request must be terminated by a newline [\\n]")
        rows, items = lines.split("\n")[:-1], []
        while rows:
            action = json.loads(rows.pop(0))
            if problem(action, ({"index": {"_id": str}}, {"delete": {"_id": str}})):
                return self.refusal(400, "illegal_argument_exception", "Malformed action/metadata line")
            (verb, head), = action.items()
            if verb == "delete":
                there = index["documents"].pop(head["_id"], None)
                items.append({"delete": {"_id": head["_id"], "status": 200 if there else 404}})
                continue
            document = json.loads(rows.pop(0))
            wrong = self.document_problem(index, document)
            if wrong:
                items.append({"index": {"_id": head["_id"], "status": wrong[0], "error": {"type": wrong[1], "reason": wrong[2]}}})
            else:
                index["documents"][head["_id"]] = document
                items.append({"index": {"_id": head["_id"], "status": 201, "result": "created"}})
        return 200, {"took": 1, "errors": any("error" in next(iter(one.values())) for one in items), "items": items}

    def document_problem(self, index, document):
        fields = index["mappings"]["properties"]
        for name, value in document.items():
            if name not in fields:
                return 400, "strict_dynamic_mapping_exception", f"unknown field {name}"
            kind = fields[name]["type"]
            if kind == "long" and not isinstance(value, int):
                return 400, "document_parsing_exception", f"failed to parse field [{name}] of type [long]"
            if kind in ("dense_vector", "knn_vector"):
                dims = fields[name].get("dims", fields[name].get("dimension"))
                if len(value) != dims:
                    return 400, "document_parsing_exception", f"has a different number of dimensions [{len(value)}] than [{dims}]"
                if not any(value):
                    return 400, "document_parsing_exception", "The [cosine] similarity does not support vectors with zero magnitude."
        if document.get("caption") == "too many":
            return 429, "es_rejected_execution_exception", "rejected execution of coordinating operation"
        return None

    def terms(self, index, document, name):
        value = document.get(name)
        values = value if isinstance(value, list) else [value]
        limit = index["mappings"]["properties"][name].get("ignore_above")
        return [one for one in values if one is not None and not (isinstance(one, str) and limit and len(one) > limit)]

    def passes(self, index, key, document, query):
        (kind, inner), = query.items()
        if kind == "match_all":
            return True
        if kind == "ids":
            return key in inner["values"]
        if kind == "bool":
            one = lambda part: self.passes(index, key, document, part)
            return (all(map(one, inner.get("filter", []))) and not any(map(one, inner.get("must_not", [])))
                    and ("should" not in inner or sum(map(one, inner["should"])) >= inner.get("minimum_should_match", 1)))
        (name, wanted), = inner.items()
        values = self.terms(index, document, name)
        if kind == "range":
            signs = {"gte": lambda a, b: a >= b, "gt": lambda a, b: a > b, "lte": lambda a, b: a <= b, "lt": lambda a, b: a < b}
            return any(all(signs[sign](value, bound) for sign, bound in wanted.items()) for value in values)
        return any(value in (wanted if kind == "terms" else [wanted]) for value in values)

    def search(self, name, index, body):
        wrong = problem(body, SEARCH[self.kind])
        if wrong:
            return self.refusal(400, "parsing_exception", wrong)
        knn = body.get("knn") or body["query"].get("knn", {}).get("embedding")
        query = knn.get("filter", {"match_all": {}}) if knn else body["query"]
        size = body.get("size", 10)
        if size > 10_000 or (knn and knn.get("num_candidates", 10_000) > 10_000) or (knn and knn["k"] > knn.get("num_candidates", 10_000)):
            return self.refusal(400, "illegal_argument_exception", "result window is too large")
        kept = [(key, one) for key, one in index["documents"].items() if self.passes(index, key, one, query)]
        scores = {}
        if knn:
            wanted = knn.get("query_vector") or knn.get("vector")
            field = index["mappings"]["properties"]["embedding"]
            if len(wanted) != field.get("dims", field.get("dimension")) or not any(wanted):
                return self.refusal(400, "illegal_argument_exception", "the query vector has a different number of dimensions")
            scores = {key: (1 + cosine(one["embedding"], wanted)) / 2 for key, one in kept}
            kept = sorted(kept, key=lambda one: -scores[one[0]])[:knn["k"]]
        elif "sort" in body:
            kept = sorted(kept, key=lambda one: one[1]["id"])
            kept = [one for one in kept if "search_after" not in body or one[1]["id"] > body["search_after"][0]]
        hits = []
        for key, document in kept[:size]:
            left_out = body.get("_source", {}).get("excludes", [])
            hit = {"_index": name, "_id": key, "_score": scores.get(key, None if "sort" in body else 1.0),
                   "_source": {field: value for field, value in document.items() if field not in left_out}}
            if self.kind == "elasticsearch":
                hit["_source"].pop("embedding", None)  # as new indexes of 9.2 do
            if "fields" in body:
                hit["fields"] = {field: document[field] for field in body["fields"]}
            hits.append(hit)
        return 200, {"took": 1, "timed_out": False, "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
                     "hits": {"total": {"value": len(kept), "relation": "eq"}, "hits": hits}}

    def count(self, _, index, body):
        wrong = body is not None and problem(body, {"query": query_shape})
        if wrong:
            return self.refusal(400, "parsing_exception", wrong)
        query = body["query"] if body else {"match_all": {}}
        found = sum(self.passes(index, key, one, query) for key, one in index["documents"].items())
        return 200, {"count": found, "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0}}

    def lossy(self, target, answer):
        """As an approximate index does: leaves some out."""
        if target.endswith("/_search") and answer[0] == 200 and any(hit["_score"] not in (None, 1.0) for hit in answer[1]["hits"]["hits"]):
            answer[1]["hits"]["hits"] = answer[1]["hits"]["hits"][::2]
        return answer
