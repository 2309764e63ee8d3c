"""The statement: expressions, tables, the bus and the mock prover, on the standard library alone."""
