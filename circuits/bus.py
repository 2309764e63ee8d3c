"""The bus: offline memory checking and lookups as one sum of fractions (LogUp, Haböck 2022, eprint 2022/1530).

A tuple on a channel is the field element `tag + beta*f_1 + beta^2*f_2 + ...`, and all tables and public rows together
satisfy `sum m/(gamma - tuple) + sum w^k*L_k = 0`. Helper columns hold a few fractions each, a running sum per table
adds them up.
"""

from collections.abc import Sequence
from functools import reduce

from circuits.expression import Expression, challenge, degree, lagrange, lift, public, total
from circuits.field import MODULUS
from circuits.table import Kind, Table, Term

BETA, GAMMA, WEIGHT = (challenge(name) for name in ("beta", "gamma", "w"))
SIGMA = public("sigma")  # the total that this table puts on the bus
RUNNING_SUM, MASK = "bus_sum", "bus_mask"
MASK_CHANNEL = "mask"

Fraction = tuple[Expression, Expression]


def fingerprint(channels: Sequence[str], term: Term) -> Expression:
    """The tuple of a term in one field element; tags are 1, 2, ... in the order of the channels, so never zero and
    never equal."""
    value: Expression = lift(channels.index(term.channel) + 1)
    power = lift(1)
    for part in term.fields:
        power = power * BETA
        value = value + power * part
    return value


def add_fractions(a: Fraction, b: Fraction) -> Fraction:
    return a[0] * b[1] + b[0] * a[1], a[1] * b[1]


def helper_fractions(table: Table, channels: Sequence[str]) -> list[tuple[str, Fraction]]:
    """(column, (numerator, denominator)) for each helper column of the table."""
    return [
        (f"bus_{i}", reduce(add_fractions, [(t.multiplicity, GAMMA - fingerprint(channels, t)) for t in group]))
        for i, group in enumerate(_groups(table))
    ]


def add_bus(table: Table, masked: bool, channels: Sequence[str], weights: dict[str, int]) -> None:
    """Adds to the table the columns and constraints of its share of the bus.

    masked: whether other tables share the bus. weights: the exponent of `w` for each linear sum.
    """
    if masked:
        _add_mask(table)
    step = lift(0)
    for column, (numerator, denominator) in helper_fractions(table, channels):
        helper = table.column(column, Kind.BUS)
        table.require(column, helper * denominator - numerator)
        step = step + helper
    for name, expression in table.sums:
        step = step + reduce(lambda power, _: power * WEIGHT, range(weights[name]), lift(1)) * expression
    running = table.column(RUNNING_SUM, Kind.BUS)
    # S(wX) = S(X) + sum of helpers - sigma/n around the whole domain, hence the total over the table is sigma
    table.require(RUNNING_SUM, running.at(1) - running - step + SIGMA * pow(table.size, -1, MODULUS))


def _add_mask(table: Table) -> None:
    """A random value handed round the tables, so that no sigma tells anything: row 0 is sent, row 1 is what the table
    before sent."""
    mask = table.witness(MASK)
    table.send(f"{MASK}_sent", MASK_CHANNEL, lagrange(0), mask)
    table.receive(f"{MASK}_received", MASK_CHANNEL, lagrange(0), mask.at(1))


def _groups(table: Table) -> list[list[Term]]:
    """Consecutive terms while the constraint of their helper stays within the table's max_degree."""
    groups: list[list[Term]] = []
    for term in table.terms:
        if groups and _degree([*groups[-1], term]) <= table.max_degree:
            groups[-1].append(term)
        else:
            groups.append([term])
    return groups


def _degree(group: Sequence[Term]) -> int:
    """The degree of h * prod(gamma - t_i) = sum_i m_i * prod_{j != i}(gamma - t_j)."""
    denominators = [degree(total(term.fields)) for term in group]
    numerators = [degree(t.multiplicity) + sum(denominators) - d for t, d in zip(group, denominators, strict=True)]
    return max(1 + sum(denominators), *numerators)
