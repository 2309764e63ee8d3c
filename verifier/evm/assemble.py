"""Straight-line EVM code for a graph of field operations.

The memory of the code is an image of words: the modulus, the inputs, scratch, then what is computed and used more than
once. Code that does not fit one contract calls the next with its image.

Sums are reduced late: a value below k*r for k <= 5 fits a word, products and `addmod` take such values as they are. The
bound of a value is its k.
"""

from collections.abc import Sequence

from circuits.field import MODULUS
from verifier.evm.opcodes import MODEXP, WORD, call, demand, op, push, swap
from verifier.evm.trace import Value, nodes

LARGEST_BOUND = 5  # 5r < 2^256
DEEPEST = 16  # what DUP reaches
TREE = 200  # nodes that one statement computes at most
MODEXP_WORDS = 6  # EIP-198


class Assembler:
    """Writes statements; between them the stack holds the modulus alone.

    scratch: the first of the words that an inversion may use. slots: the word in which a value lies.
    """

    def __init__(self, scratch: int) -> None:
        self.scratch = scratch
        self.slots: dict[Value, int] = {}
        self.kept_bounds: dict[Value, int] = {}
        self.code = bytearray()
        self.depth = 0  # words above the modulus

    def take(self) -> bytes:
        """The code since the last call."""
        code, self.code = bytes(self.code), bytearray()
        return code

    def emit(self, *parts: bytes, change: int) -> None:
        self.code += b"".join(parts)
        self.depth += change

    def modulus(self) -> None:
        """A copy of r, which lies under everything."""
        if self.depth < DEEPEST:
            self.emit(bytes([0x80 + self.depth]), change=1)
        else:
            self.emit(push(0), op("mload"), change=1)

    def load(self, slot: int) -> None:
        self.emit(push(WORD * slot), op("mload"), change=1)

    def store(self, slot: int) -> None:
        self.emit(push(WORD * slot), op("mstore"), change=-1)

    def demand(self) -> None:
        self.emit(demand(), change=-1)

    def bound(self, node: Value) -> int:
        """Of the value as it comes without a reduction for its own sake."""
        if node in self.kept_bounds:
            return self.kept_bounds[node]
        if node.operator not in ("add", "sub"):
            return 1
        a, b = node.children
        bound = self.bound(a) + (self.bound(b) if node.operator == "add" else 1)
        return bound if bound <= LARGEST_BOUND else 1

    def value(self, node: Value, limit: int = LARGEST_BOUND) -> None:
        """Puts the value on the stack, below limit*r."""
        if node in self.slots or not node.children:
            if node.constant is None:
                self.load(self.slots[node])
            else:
                self.emit(push(node.constant), change=1)
            if self.bound(node) > limit:
                self.modulus()
                self.emit(swap(1), op("mod"), change=-1)
            return
        a, b = node.children
        if node.operator == "mul":
            self.modulus()
            self.value(a)
            self.value(b)
            self.emit(op("mulmod"), change=-2)
            return
        reduced = self.bound(node) > limit or self.bound(node) == 1
        if reduced:
            self.modulus()
        self.value(a)
        if node.operator == "add":
            self.value(b)
        else:  # a + (r - b)
            self.value(b, 1)
            self.modulus()
            self.emit(op("sub"), change=-1)
        self.emit(op("addmod" if reduced else "add"), change=-2 if reduced else -1)

    def keep(self, node: Value, slot: int, limit: int = LARGEST_BOUND) -> None:
        """Computes a value into its word."""
        if node.operator == "inverse":
            self.invert(node.children[0], slot)
            bound = 1
        else:
            bound = self.bound(node) if self.bound(node) <= limit else 1
            self.value(node, limit)
            self.store(slot)
        self.slots[node], self.kept_bounds[node] = slot, bound

    def invert(self, node: Value, slot: int) -> None:
        """a^(r - 2) by the precompile (EIP-198)."""
        for i, number in enumerate((WORD, WORD, WORD, None, MODULUS - 2, MODULUS)):
            if number is None:
                self.value(node)
            else:
                self.emit(push(number), change=1)
            self.store(self.scratch + i)
        self.emit(call(push(MODEXP), WORD * self.scratch, WORD * MODEXP_WORDS, WORD * slot, WORD), change=1)
        self.demand()


def kept(roots: Sequence[Value]) -> list[Value]:
    """The nodes that get a word, in an order in which they can be computed: the roots, what is used twice, and what
    would make a statement too long."""
    order, final = nodes(roots), set(roots)
    uses = dict.fromkeys(order, 0)
    for node in order:
        for child in node.children:
            uses[child] += 1
    size: dict[Value, int] = {}
    result = []
    for node in order:
        size[node] = 1 + sum(size[child] for child in node.children)
        long = uses[node] > 1 or size[node] > TREE or node.operator == "inverse" or node in final
        if node.children and long:
            result.append(node)
            size[node] = 1
    return result


class Words:
    """Gives values words, and gives the words of values that nobody needs again to others.

    order: what is kept; forever: what is needed after that. count: words of the memory that are used.
    """

    def __init__(self, work: Assembler, order: Sequence[Value], forever: Sequence[Value], count: int) -> None:
        self.work, self.count = work, count
        self._free: list[int] = []
        self._dying: dict[Value, list[Value]] = {}
        kept_nodes, last = set(order), dict[Value, Value]()
        for node in order:
            for used in nodes(node.children, kept_nodes):
                last[used] = node
        for used, node in last.items():
            if (used in kept_nodes or used.operator == "input") and used not in forever:
                self._dying.setdefault(node, []).append(used)

    def keep(self, node: Value) -> None:
        """Computes the value into a word."""
        self._free += [self.work.slots[used] for used in self._dying.get(node, ())]
        if not self._free:
            self._free.append(self.count)
            self.count += 1
        self.work.keep(node, self._free.pop())
