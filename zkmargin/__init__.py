"""The rollup: transactions in, batches out; the state machine, the witness, storage and the command line."""
