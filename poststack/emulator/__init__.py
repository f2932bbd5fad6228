"""The PostStack API on your own machine: accepts e-mail, plays its fate, delivers webhooks, fails on demand."""
