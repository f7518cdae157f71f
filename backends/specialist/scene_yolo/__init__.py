"""A detector of the proving ground: YOLO11 at nano size, trained on rendered scenes. Needs ultralytics (AGPL-3.0)."""
