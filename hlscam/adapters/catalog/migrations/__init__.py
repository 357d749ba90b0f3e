"""The catalog's schema, step by step: Alembic runs `env.py`, which runs `versions/`."""
