"""The fault campaign: seeds become streams on failing computers, and every one is judged."""
