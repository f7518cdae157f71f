"""Which of two policies is better: shadows, paired comparison, replay, reports."""
