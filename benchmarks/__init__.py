"""What it costs to send, side by side with others in the same run: `python -m benchmarks`."""
