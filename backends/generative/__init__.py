"""Generative backbones: instruction-tuned image models whose drawings are decoded into answers."""
