"""The margin statement: parameters fixed in the key, cells of the state, and the tables that prove transitions."""
