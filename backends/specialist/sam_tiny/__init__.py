"""A promptable segmenter of the proving ground: Segment Anything's architecture at a tiny size."""
