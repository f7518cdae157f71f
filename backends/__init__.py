"""Models behind one protocol: generative backbones that draw their answer, and specialists."""
