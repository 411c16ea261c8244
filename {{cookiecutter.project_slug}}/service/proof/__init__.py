"""The proof: recorded examples, their check, `flask record` and `flask reproduce`; the weights."""
