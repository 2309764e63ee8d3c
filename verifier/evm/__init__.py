"""The verifier as contracts: what a key fixes is emitted as code, from the Python verifier itself."""
