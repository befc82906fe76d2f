"""The twin network: encoder, split, decoder, shared auxiliary decoder."""
