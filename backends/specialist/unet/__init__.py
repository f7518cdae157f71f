"""A U-Net of the proving ground: depth, normals and semantic segmentation of rendered scenes."""
