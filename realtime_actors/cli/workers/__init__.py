"""`serve --workers N`: processes that share a port, each with a runtime of its own, and the one that watches over them.

The supervisor accepts every connection, looks at the first line of its request without taking it out of the socket,
and passes the socket on, over a Unix socket, to the worker that the session id stands for. It reads nothing else and
writes nothing: from then on the connection is the worker's alone.
"""
