"""The engine: joins everything below it on one bus and owns its life (`engine.py`). Nothing is imported here, so that the
commands which need one part of it start without the rest.
"""
