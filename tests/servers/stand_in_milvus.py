"""Milvus' REST API version 2 (its reference "RESTful API", "Boolean expression rules"): the requests that Tandem makes, checked
against the shapes there, and answers of the same shapes.
"""
import json
import re

from shapes import anything, id_number, problem
from stand_in_qdrant import cosine

FIELD = {"fieldName": str, "dataType": {"Int64", "VarChar", "JSON", "FloatVector"}, "isPrimary?": bool,
         "elementTypeParams?": {"max_length?": str, "dim?": str}}
BODIES = {
    "collections/has": {},
    "collections/create": {"schema": {"autoID": bool, "enableDynamicField": bool, "fields": [FIELD]},
                           "indexParams": [{"fieldName": str, "indexName": str, "metricType": {"COSINE", "L2", "IP"},
                                            "params": {"index_type": {"AUTOINDEX", "HNSW"}}}],
                           "params": {"consistencyLevel": {"Strong"}}},
    "entities/upsert": {"data": [{"*": anything}]},
    "entities/delete": {"filter": str},
    "entities/query": {"filter": str, "limit?": int, "outputFields": [str]},
    "entities/search": {"data": [[float]], "annsField": {"embedding"}, "limit": int, "filter": str, "outputFields": [str],
                        "searchParams": {"metricType": {"COSINE"}}, "consistencyLevel": {"Strong"}},
}
TOKEN = re.compile(r'\s*("[^"\\\x00-\x1f]*"|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[A-Za-z_]\w*|==|>=|<=|[<>()\[\],])')


class Expression:
    """A boolean expression, as far as Tandem writes them."""

    def __init__(self, text):
        self.tokens, at = [], 0
        while at < len(text.rstrip()):
            found = TOKEN.match(text, at)
            if not found:
                raise ValueError("cannot parse expression: " + text[:200])
            self.tokens.append(found.group(1))
            at = found.end()
        self.test = self.either() if self.tokens else lambda row: True
        if self.tokens:
            raise ValueError("cannot parse expression: " + text[:200])

    def take(self, *wanted):
        if not self.tokens or (wanted and self.tokens[0] not in wanted):
            raise ValueError("cannot parse expression: " + " ".join(self.tokens)[:200])
        return self.tokens.pop(0)

    def chain(self, word, part, join):
        tests = [part()]
        while self.tokens and self.tokens[0] == word:
            self.take()
            tests.append(part())
        return lambda row: join(test(row) for test in tests)

    def either(self):
        return self.chain("or", self.both, any)

    def both(self):
        return self.chain("and", self.one, all)

    def one(self):
        if self.tokens and self.tokens[0] == "not":
            self.take()
            inner = self.one()
            return lambda row: not inner(row)
        if self.tokens and self.tokens[0] == "(":
            self.take()
            inner = self.either()
            self.take(")")
            return inner
        name, keys = self.take(), []
        while self.tokens and self.tokens[0] == "[":
            self.take()
            keys.append(json.loads(self.take()))
            self.take("]")
        sign = self.take("==", ">=", "<=", ">", "<", "in")
        if sign == "in":
            self.take("[")
            wanted = []
            while self.tokens[0] != "]":
                wanted.append(json.loads(self.take()))
                if self.tokens[0] != "]":
                    self.take(",")
            self.take("]")
            return lambda row: row[name] in wanted
        want = json.loads(self.take())
        tests = {"==": lambda a, b: a == b, ">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
                 "<": lambda a, b: a < b}

        def value_of(row):
            value = row[name]
            for key in keys:
                value = value.get(key) if isinstance(value, dict) else None
            return value

        def test(row):
            value = value_of(row)
            kind = lambda one: "bool" if isinstance(one, bool) else "number" if isinstance(one, (int, float)) else type(one).__name__
            return kind(value) == kind(want) and tests[sign](value, want)

        return test


class Milvus:
    def __init__(self):
        self.collections = {}

    def refusal(self, status, message):
        return status, {"code": status, "message": message}

    def authorized(self, headers):
        return headers.get("authorization", "") != "Bearer wrong"

    def answer(self, method, target, body):
        what = target.removeprefix("/v2/vectordb/")
        if method != "POST" or what not in BODIES:
            return self.refusal(404, "404 page not found")
        wrong = problem(body, {"collectionName": str, "dbName?": str, **BODIES[what]})
        if wrong:
            return 200, {"code": 1801, "message": "can only accept json format request, error: " + wrong}
        name = body["collectionName"]
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,254}", name):
            return 200, {"code": 1100, "message": "Invalid collection name: " + name}
        if what == "collections/has":
            return 200, {"code": 0, "data": {"has": name in self.collections}}
        if what == "collections/create":
            self.collections.setdefault(name, {"fields": {one["fieldName"]: one for one in body["schema"]["fields"]}, "rows": {}})
            return 200, {"code": 0, "data": {}}
        if name not in self.collections:
            return 200, {"code": 100, "message": f"can't find collection[database=default][collection={name}]"}
        try:
            return 200, self.of_collection(self.collections[name], what, body)
        except ValueError as error:
            return 200, {"code": 1100, "message": "failed to create query plan: " + str(error)}

    def row_problem(self, fields, row):
        if set(row) != set(fields):
            return f"the fields are {sorted(row)}"
        for name, field in fields.items():
            kind, value = field["dataType"], row[name]
            if kind == "Int64" and not id_number(value) and not isinstance(value, int):
                return f"{name} is no Int64"
            if kind == "VarChar" and (not isinstance(value, str) or len(value.encode()) > int(field["elementTypeParams"]["max_length"])):
                return f"length of varchar field {name} exceeds max length"
            if kind == "FloatVector" and len(value) != int(field["elementTypeParams"]["dim"]):
                return "vector dimension mismatch"
            if kind == "JSON" and not isinstance(value, dict):
                return f"{name} is no JSON object"
        return None

    def of_collection(self, collection, what, body):
        rows, fields = collection["rows"], collection["fields"]
        if what == "entities/upsert":
            for row in body["data"]:
                wrong = self.row_problem(fields, row)
                if wrong:
                    return {"code": 1804, "message": "fail to deal the insert data, error: " + wrong}
            rows.update({row["id"]: row for row in body["data"]})
            return {"code": 0, "data": {"upsertCount": len(body["data"]), "upsertIds": [row["id"] for row in body["data"]]}}
        test = Expression(body["filter"]).test
        kept = [rows[one] for one in sorted(rows) if test(rows[one])]
        if what == "entities/delete":
            for row in kept:
                del rows[row["id"]]
            return {"code": 0, "data": {}}
        if body["outputFields"] == ["count(*)"]:
            return {"code": 0, "data": [{"count(*)": len(kept)}]}
        unknown = set(body["outputFields"]) - set(fields)
        if unknown or not 0 < body.get("limit", 100) <= 16_384:
            return {"code": 1100, "message": f"field {unknown} not exist, or a limit out of range"}

        def shown(row):  # JSON comes back as text
            return {name: json.dumps(row[name]) if fields[name]["dataType"] == "JSON" else row[name] for name in body["outputFields"]}

        if what == "entities/query":
            return {"code": 0, "data": [shown(row) for row in kept[:body.get("limit", 100)]]}
        wanted = body["data"][0]
        if len(wanted) != int(fields["embedding"]["elementTypeParams"]["dim"]):
            return {"code": 65535, "message": "vector dimension mismatch"}
        scored = sorted(((cosine(row["embedding"], wanted), row) for row in kept), key=lambda one: -one[0])
        return {"code": 0, "data": [{**shown(row), "distance": score} for score, row in scored[:body["limit"]]]}

    def lossy(self, target, answer):
        """As an approximate index does: leaves some out."""
        if target.endswith("/entities/search") and answer[1].get("code") == 0:
            answer[1]["data"] = answer[1]["data"][::2]
        return answer
