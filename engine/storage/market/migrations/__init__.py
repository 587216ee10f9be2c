"""The steps from one form of the market database to the next, run by Alembic; see engine/storage/market/schema.py."""
