"""Django's MySQL backend on PyMySQL, which needs neither a compiler nor a client library: `ENGINE` of the tests."""
