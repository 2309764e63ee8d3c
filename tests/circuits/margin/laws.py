"""The registry of tampers: a dishonest case for every law of the circuit, for some on either leg, with all the
laws that it breaks."""

from collections.abc import Callable

from tests.circuits.margin.forge import Case
from tests.circuits.margin.sheet import of_leg

Tamper = Callable[[], Case]
TAMPERS: dict[str, tuple[Tamper, frozenset[str]]] = {}


def law(name: str) -> str:
    """The full name of a constraint of the transitions, whose leg may be named (`margin_b`: `margin`, broken on the row
    of leg b); names with a dot, and `statement`, are full already."""
    return name if "." in name or name == "statement" else f"transitions.{of_leg(name)[0]}"


def tamper_of(name: str) -> str:
    """The key of a tamper: its law, and the leg where the name has one."""
    leg = of_leg(name)[1]
    return law(name) if "." in name or leg is None else f"{law(name)} {'ab'[leg]}"


def breaks(name: str, *others: str) -> Callable[[Tamper], Tamper]:
    """Registers a tamper for a law; `others` are those that it cannot help breaking, because they imply the law."""

    def register(tamper: Tamper) -> Tamper:
        add(name, tamper, *others)
        return tamper

    return register


def add(name: str, tamper: Tamper, *others: str) -> None:
    if tamper_of(name) in TAMPERS:
        raise ValueError(f"two tampers for {tamper_of(name)}")
    TAMPERS[tamper_of(name)] = tamper, frozenset(map(law, (name, *others)))
