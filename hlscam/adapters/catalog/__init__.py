"""The catalog: which recordings there are, and how their segments lie in them.

schema       the tables, and why they are so
migrate      Alembic, from empty to this code's schema (`migrations/`)
sqlite_file  connections that know which file they are to
health       is a file a whole catalog; out of the way with one that is not
engine       connections, and database failures in plain words
rows         Recording to row and back
queries      the questions, as SQL
connections  the threads of all SQL, and the connections in them
statements   what takes more than one statement
store        `Catalog`: all of it from the event loop
"""

from hlscam.adapters.catalog.store import Catalog, Totals

__all__ = ["Catalog", "Totals"]
