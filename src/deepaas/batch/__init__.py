"""Many files, one result each: which files, which part of them, what is done, and doing the rest."""
