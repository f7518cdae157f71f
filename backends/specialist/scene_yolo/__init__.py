"""A detector of the proving ground: YOLO11 at nano size, for boxes and poses. Needs ultralytics (AGPL-3.0)."""
