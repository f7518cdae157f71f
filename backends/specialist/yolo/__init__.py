"""YOLO by ultralytics. The library and its weights are AGPL-3.0: installed only by asking for their extra."""
