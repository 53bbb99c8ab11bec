"""Pure business rules: frozen models and total functions. No I/O, clock, randomness or Temporal."""
