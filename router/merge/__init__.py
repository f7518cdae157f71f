"""Several answers to one: choosing among predictions of one task, joining those of several."""
