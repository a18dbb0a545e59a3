"""The proof that two databases hold the same rows, table by table and chunk by chunk, while both are in use.

``tables`` says what is compared, ``chunks`` cuts a table into ranges of its key, ``row_hash`` turns a row into a
number on its server, ``comparing`` compares a chunk or given keys and names what differs, ``whole`` runs all of it
within a budget of connections.
"""
