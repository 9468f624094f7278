"""How code is changed: what of cosmic-ray is used, what is added, and where nothing is changed."""

import re
from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.operators.operator import Example, Operator
from parso.python.tree import Keyword

Position = tuple[int, int]

# Of each kind of operator one or two that are like it: a test notices the others at once.
_CHOSEN = re.compile(
    r"""core/(
        ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Div|Mod_FloorDiv|Pow_Mul)
        |ReplaceBinaryOperator_(BitOr_BitAnd|BitAnd_BitOr|LShift_RShift|RShift_LShift)
        |ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is)
        |ReplaceComparisonOperator_(Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt)
        |ReplaceUnaryOperator_Delete_\w+
        |ReplaceAndWithOr|ReplaceOrWithAnd|ReplaceTrueWithFalse|ReplaceFalseWithTrue|AddNot
        |ReplaceBreakWithContinue|ReplaceContinueWithBreak|ZeroIterationForLoop
        |ExceptionReplacer|NumberReplacer|RemoveDecorator
    )|own/\w+""",
    re.VERBOSE,
)

_LOGS = re.compile(r"(klog\.)?(_log|V\(\d\))\.")
_CALLS = {"atom_expr", "power"}


class RemoveStatement(Operator):  # type: ignore[misc]
    """Leaves out a call, an assignment that replaces another, a ``raise`` or a ``return``."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Position, Position]]:
        """See `Operator`."""
        if node.type == "simple_stmt" and self._counts(node.children[0]):
            yield node.children[0].start_pos, node.children[0].end_pos

    def _counts(self, statement: Any) -> bool:
        if statement.type == "expr_stmt":
            target, change = statement.children[:2]
            if change.type == "annassign":
                return False
            # Without its first assignment, each attribute and variable is found out at once.
            function = statement.search_ancestor("funcdef")
            first = function is None or function.name.value == "__init__"
            return change.type == "operator" and (
                change.value != "=" or (target.type != "name" and not first)
            )
        bare_return = statement.type == "keyword" and statement.value == "return"
        return bare_return or statement.type in {*_CALLS, "del_stmt", "raise_stmt"}

    def mutate(self, node: Any, index: int) -> Any:
        """See `Operator`."""
        removed = node.children[0]
        node.children[0] = Keyword("pass", removed.start_pos, removed.get_first_leaf().prefix)
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """See `Operator`."""
        return (Example("x.stop()", "pass"), Example("x += 1", "pass"))


class NegateMembership(Operator):  # type: ignore[misc]
    """``in`` becomes ``not in``, and the other way round."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Position, Position]]:
        """See `Operator`."""
        if node.type == "comparison":
            for operator in node.children[1::2]:
                if operator.get_code().split()[-1] == "in":
                    yield operator.start_pos, operator.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """See `Operator`."""
        places = [
            place
            for place in range(1, len(node.children), 2)
            if node.children[place].get_code().split()[-1] == "in"
        ]
        old = node.children[places[index]]
        new = " in" if old.get_code().split()[0] == "not" else " not in"
        node.children[places[index]] = parso.parse(new)
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """See `Operator`."""
        return (Example("a in b", "a not in b"), Example("a not in b", "a in b"))


class Own:
    """A provider for cosmic-ray."""

    _operators = {one.__name__: one for one in (RemoveStatement, NegateMembership)}  # noqa: RUF012

    def __iter__(self) -> Iterator[str]:
        return iter(self._operators)

    def __getitem__(self, name: str) -> type[Operator]:
        return self._operators[name]


def is_chosen(operator: str) -> bool:
    """Whether an operator of cosmic-ray or of `Own` is used."""
    return _CHOSEN.fullmatch(operator) is not None


def left_alone(source: str) -> list[tuple[Position, Position]]:
    """Where nothing is changed: lines for the log, annotations, and figures that were chosen.

    The last are constants of a module; a test that repeats them shows nothing.
    """
    places = []
    for node in ast_nodes(parso.parse(source)):
        if _is_left_alone(node):
            places.append((node.start_pos, node.end_pos))
        elif node.type == "annassign":
            places.append((node.start_pos, node.children[1].end_pos))
        elif node.type == "funcdef" and node.annotation is not None:
            places.append((node.annotation.start_pos, node.annotation.end_pos))
    return places


def _is_left_alone(node: Any) -> bool:
    match node.type:
        case "simple_stmt":
            first = node.children[0]
            constant = first.type == "expr_stmt" and node.parent.type == "file_input"
            return constant or _LOGS.match(first.get_code(include_prefix=False)) is not None
        case "if_stmt":
            return bool(node.children[1].get_code().strip() == "TYPE_CHECKING")
        case "operator":  # the * before arguments that have names
            return bool(node.parent.type == "parameters")
    return bool(node.type == "tfpdef")
