"""What flows through the house: tasks, images, requests, predictions, results, decisions.

Everything here is a frozen dataclass with numpy arrays inside; `visionrouter.schema.wire` turns it into JSON and back.
"""
