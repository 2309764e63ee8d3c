"""The rules that a rollup's batches are made under: its first key, and those that followed it with notice."""

from dataclasses import dataclass
from pathlib import Path

from circuits.margin.parameters import Parameters, Shape
from circuits.margin.succession import Amendment
from verifier import VerifyingKey
from verifier.margin import decode_parameters, load_key
from zkmargin.store import Store
from zkmargin.transactions import InputError, Tick, Transaction

Lines = list[tuple[int, Transaction]]
"""Transactions with the numbers of their lines."""


@dataclass(frozen=True)
class Rules:
    """A key and what it commits to. amendment: by which it follows another one; first_batch: None while it has none."""

    key: VerifyingKey
    parameters: Parameters
    shape: Shape
    amendment: Amendment | None = None
    first_batch: int | None = 0

    @classmethod
    def under(cls, key: str, amendment: Amendment | None = None, first_batch: int | None = 0) -> "Rules":
        """Of a key's JSON; InvalidKey."""
        loaded = load_key(key)
        return cls(loaded, *decode_parameters(loaded.parameters), amendment, first_batch)


class History:
    """What the store says of it now; InvalidKey. to_come: rules that are announced and have no batch yet."""

    def __init__(self, store: Store) -> None:
        self.stored = store.amendments()
        rules = [Rules.under(store.key)]
        rules += [Rules.under(each.key, each.amendment, each.first_batch) for each in self.stored]
        self.rules = [each for each in rules if each.first_batch is not None]
        self.to_come = next((each for each in rules if each.first_batch is None), None)

    @property
    def present(self) -> Rules:
        """Of the last batch."""
        return self.rules[-1]

    def of(self, number: int) -> Rules:
        """What a batch was made under."""
        return next(each for each in reversed(self.rules) if (each.first_batch or 0) <= max(number, 0))

    def for_next(self, path: Path, lines: Lines) -> tuple[Rules, bool]:
        """What a batch of these transactions is made under, and whether it is the first one under it; InputError where
        the rules would change inside it."""
        if self.to_come is None or self.to_come.amendment is None:
            return self.present, False
        start = self.to_come.amendment.start
        ticks = [(number, told.time) for number, told in lines if isinstance(told, Tick)]
        if ticks and ticks[0][1] >= start:
            return self.to_come, True
        for number, time in ticks:
            if time >= start:
                raise InputError(
                    path, number, "time", f"{time}: from {start} on other parameters count, in a new batch"
                )
        return self.present, False
