"""People: the trials of a session, the rows they leave, and observers that are only simulated."""
