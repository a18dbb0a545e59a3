"""Where moto does less than AWS, or otherwise. Every use of moto's internals is in this package.

Each module mends one service and says what was wrong with moto 5.2.5. A seam replaces a name inside moto for as long as
an emulator runs, by `unittest.mock.patch`, which refuses a name that is no longer there; tests/local/test_emulator.py
and test_states.py show that each still has its effect. Take one out when moto has caught up.
"""
