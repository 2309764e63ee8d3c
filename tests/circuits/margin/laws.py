"""The registry of tampers: one dishonest case for every law of the circuit, with all the laws that it breaks."""

from collections.abc import Callable

from tests.circuits.margin.forge import Case

Tamper = Callable[[], Case]
TAMPERS: dict[str, tuple[Tamper, frozenset[str]]] = {}


def law(name: str) -> str:
    """The full name of a constraint of the transitions; names with a dot, and `statement`, are full already."""
    return name if "." in name or name == "statement" else f"transitions.{name}"


def breaks(name: str, *others: str) -> Callable[[Tamper], Tamper]:
    """Registers a tamper for a law; `others` are those that it cannot help breaking, because they imply the law."""

    def register(tamper: Tamper) -> Tamper:
        add(name, tamper, *others)
        return tamper

    return register


def add(name: str, tamper: Tamper, *others: str) -> None:
    if law(name) in TAMPERS:
        raise ValueError(f"two tampers for {law(name)}")
    TAMPERS[law(name)] = tamper, frozenset(map(law, (name, *others)))
