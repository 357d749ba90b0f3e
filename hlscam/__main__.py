"""`python -m hlscam` is the `hlscam` command."""

from hlscam.cli import main

if __name__ == "__main__":
    main()
