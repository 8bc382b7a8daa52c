"""Shapes of requests: a small strict checker. What a shape does not name is refused, so that a client that says anything
outside the contract fails.

A shape is a Python type (int, float, str, bool), a set of allowed values, [SHAPE] for a list of such, {"name": SHAPE,
"name?": SHAPE} for an object with these members ("?": may be left out; "*": any other name), a tuple of shapes of which one
must fit, or a function that answers whether it fits.
"""


def problem(value, shape, where="body"):
    """What is wrong with `value`; None: nothing."""
    if isinstance(shape, tuple):
        problems = [problem(value, one, where) for one in shape]
        return None if None in problems else problems[-1]
    if isinstance(shape, dict):
        return object_problem(value, shape, where)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{where}: expected a list"
        return next((p for i, one in enumerate(value) if (p := problem(one, shape[0], f"{where}[{i}]"))), None)
    if isinstance(shape, (set, frozenset)):
        return None if value in shape else f"{where}: {value!r} is none of {sorted(shape)}"
    if shape is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif isinstance(shape, type):
        fits = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    else:
        fits = shape(value)
    return None if fits else f"{where}: {str(value)[:60]!r} does not fit"


def object_problem(value, shape, where):
    if not isinstance(value, dict):
        return f"{where}: expected an object"
    for name in shape:
        if name != "*" and not name.endswith("?") and name not in value:
            return f"{where}: {name} is missing"
    for name, one in value.items():
        inner = shape.get(name, shape.get(name + "?", shape.get("*")))
        if inner is None:
            return f"{where}: unknown member {name}"
        found = problem(one, inner, f"{where}.{name}")
        if found:
            return found
    return None


def anything(_):
    return True


def id_number(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64
