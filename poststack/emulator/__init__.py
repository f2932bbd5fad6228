"""The PostStack API on your own machine.

Takes e-mail in, plays its fate, delivers webhooks, fails on demand.
"""
