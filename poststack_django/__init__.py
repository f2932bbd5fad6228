"""PostStack for Django: an e-mail backend, stored ids and statuses, signed webhooks, and an admin to read them in.

Nothing is imported here: settings may name `poststack_django.backends.EmailBackend` without the app being installed.
"""
