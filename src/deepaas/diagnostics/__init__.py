"""A doctor for models: what is wrong with one, and what to do about it, found in a process of its own."""
