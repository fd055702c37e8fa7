"""What servers are asked, and by what: wrk for many requests, a plain connection for large ones."""
