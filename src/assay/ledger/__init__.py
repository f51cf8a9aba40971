"""The record: traces, spans, cost; the database every room keeps its rows in."""
