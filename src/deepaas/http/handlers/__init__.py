"""What answers requests, a file for each noun."""
