"""What a send costs, as a ratio to the published SDK measured in the same run: `python -m benchmarks`."""
