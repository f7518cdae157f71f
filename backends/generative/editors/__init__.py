"""Instruction-tuned image editors of diffusers that draw their answers."""
