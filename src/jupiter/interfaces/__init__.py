"""What adapters must provide: Protocols and plain records."""
