"""Other provers beside this one, in one run, each on the same one core."""
