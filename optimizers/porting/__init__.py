"""What starts from an artifact: carrying it to another model, and compiling it again."""
