"""Open-vocabulary models told by the paper's prompts: what is said to them, and how several drawings vote."""
