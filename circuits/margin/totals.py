"""Sums over all cells of a state: what a solvency proof says, and a batch that ends with a sweep."""

from dataclasses import asdict, dataclass

COUNTS = ("accounts", "thin", "under", "oversized")
SIGNED = ("collateral", "unsettled_funding", "fees", "insurance")


@dataclass(frozen=True)
class Totals:
    """Sums over the book.

    accounts: how many; thin: with 0 <= TV, TV*2^16 < MM; under: with TV < 0; oversized: with TV >= 0 and no tier.
    equity: sum of the TV that are not negative, in quote * 2^-16; deficit: of -TV of the others. shortfall: sum of
    MM - TV*2^16 over thin accounts, in quote * 2^-32. collateral: of all cells, before funding is settled, in quote;
    unsettled_funding: sum of position * index last settled, in quote * 2^-32. fees, insurance: in the system cells.
    """

    accounts: int
    thin: int
    under: int
    oversized: int
    equity: int
    shortfall: int
    deficit: int
    collateral: int
    unsettled_funding: int
    fees: int
    insurance: int

    @property
    def solvent(self) -> bool:
        """Whether every account meets its maintenance margin."""
        return self.thin == self.under == self.oversized == 0

    def rounding(self, vault: int) -> int:
        """What the roundings of funding have left in a vault of so many quote units, in quote * 2^-32: in a vault that
        holds what the state says it is not negative, and small."""
        return (vault << 32) - (self.collateral << 32) - self.unsettled_funding

    def loss_factor(self, before: int, vault: int, withdrawn: int) -> int:
        """What a unit of the state is worth of the token, over 2^32, behind a batch that withdraws so many units: as
        before, or where the vault (of the token, the batch's deposits in it) holds less than that for accounts, fees
        and withdrawals, its part."""
        owed = self.equity + (max(self.fees, 0) + withdrawn << 16)
        return min(before, (vault << 48) // owed) if owed else before


@dataclass(frozen=True)
class Sweep:
    """What a batch says of the book that it leaves, at its last tick: the sums, and of each market what its positions
    sum to (empty where the key has no options: nothing)."""

    totals: Totals
    unsettled: tuple[int, ...] = ()

    def words(self) -> list[int]:
        """The sums, then the length of what is left and that."""
        return [*asdict(self.totals).values(), len(self.unsettled), *self.unsettled]
