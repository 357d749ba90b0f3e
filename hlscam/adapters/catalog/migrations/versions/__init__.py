"""One file per step, numbered; a step that was released never changes."""
