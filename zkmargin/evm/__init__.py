"""The rollup on an EVM: compiling the contracts, an in-process chain (needs zkmargin[evm])."""
