"""Requests, and their clients: wrk for many small requests, a plain connection for large ones."""
