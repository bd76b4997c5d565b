"""The suite: which program, optimizer and model to use for a task, in cells of one grid."""
