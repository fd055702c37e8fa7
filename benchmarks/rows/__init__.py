"""What is measured: each row is a piece of work, the servers that do it, and what is to be reached."""
