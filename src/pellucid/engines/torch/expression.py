"""The expressions of the table as functions: what `pellucid export` writes into a program, run as it is."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

Values = Mapping[str, Any]
"""What stands for the names in an expression."""

Function = Callable[[Values], Any]

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Gt: operator.gt,
    ast.USub: operator.neg,
}


Keep = Callable[[Any], Function]
"""Makes the function that gives a value that is always the same."""


def always(value: Any) -> Function:
    """The value itself."""
    return lambda values: value


def function_of(text: str, fixed: Values, keep: Keep = always) -> Function:
    """The function of an expression. fixed: names whose values are known; what has no others is computed once, here.

    Errors: NotImplementedError for what no row of the table writes.

    >>> function_of("x[1:] + y", {"y": [3]})({"x": [7, 8]})
    [8, 3]
    """

    def compiled(node: ast.AST) -> Function:
        if all(name.id in fixed for name in ast.walk(node) if isinstance(name, ast.Name)):
            return keep(computed(node)({}))
        return _function(node, fixed, compiled)

    def computed(node: ast.AST) -> Function:
        return _function(node, fixed, computed)

    return compiled(ast.parse(text, mode="eval").body)


def _function(node: ast.AST, fixed: Values, of: Callable[[ast.AST], Function]) -> Function:
    """The function of a node, of those of its parts."""
    match node:
        case ast.Constant(value=value):
            return always(value)
        case ast.Name(id=name):
            return always(fixed[name]) if name in fixed else (lambda values: values[name])
        case ast.Attribute(value=owner, attr=name):
            inner = of(owner)
            return lambda values: getattr(inner(values), name)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            parts, kind = [of(each) for each in elements], tuple if isinstance(node, ast.Tuple) else list
            return lambda values: kind([part(values) for part in parts])
        case ast.UnaryOp(op=sign, operand=operand):
            apply, inner = OPERATORS[type(sign)], of(operand)
            return lambda values: apply(inner(values))
        case ast.BinOp(left=left, op=sign, right=right) | ast.Compare(left=left, ops=[sign], comparators=[right]):
            apply, first, second = OPERATORS[type(sign)], of(left), of(right)
            return lambda values: apply(first(values), second(values))
        case ast.Subscript(value=owner, slice=index):
            inner, place = of(owner), of(index)
            return lambda values: inner(values)[place(values)]
        case ast.Slice(lower=lower, upper=upper, step=None):
            start, stop = (of(each) if each else always(None) for each in (lower, upper))
            return lambda values: slice(start(values), stop(values))
        case ast.Call(func=called, args=arguments, keywords=named):
            made, parts = of(called), [of(each) for each in arguments]
            options = {str(each.arg): of(each.value) for each in named}
            return lambda values: made(values)(
                *[part(values) for part in parts], **{name: part(values) for name, part in options.items()}
            )
    raise NotImplementedError(ast.unparse(node))
