"""The rainy-day benchmark: what a router is worth when pictures, words and backends go bad."""
