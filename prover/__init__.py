"""The proof: rounds, bus columns, quotient and commitments, over a backend."""
