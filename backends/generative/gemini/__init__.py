"""Nano Banana Pro through the Gemini API."""
