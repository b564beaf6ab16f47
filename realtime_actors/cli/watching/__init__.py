"""What `realtime-actors top` runs: asking a gateway for its actors, and showing them."""
