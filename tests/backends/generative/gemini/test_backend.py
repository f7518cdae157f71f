"""Gemini against a server on this machine: what it draws is read, what goes wrong is typed, the key is never told."""
