"""The proof that two databases hold the same rows, table by table and chunk by chunk, while both are in use.

``tables`` says what is compared, ``chunks`` cuts a table into ranges of its key and ``planning`` into blocks,
``row_hash`` turns a row into a number on its server, ``comparing`` compares a chunk or given keys and names what
differs. ``working`` is the loop that takes pieces of work from a queue: one in memory for any two databases
(``whole``), or one on green that the functions of a release share (``queue``, ``live``, ``rounds``). ``reader`` finds
an instance of blue that only reads. ``recorder``, ``changes`` and ``since`` find what changed after it was compared,
and compare that again.
"""
