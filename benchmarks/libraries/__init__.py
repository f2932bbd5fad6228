"""One file a library: how its users send with it. Each runs in an environment that has nothing else.

A file has some of these; all take the address of the API:

    make(address)       import the library and return a client
    send(address)       context manager of a function that sends one e-mail
    asend(address)      the same, asynchronous
    batch(address)      context manager of a function that sends a list of at most 100 e-mails in one call
    abatch(address)     the same, asynchronous
    many(address)       context manager of a function that sends any number of e-mails and returns how many were
    amany(address)      the same, asynchronous

E-mails are dicts as PostStack's API takes them.
"""
