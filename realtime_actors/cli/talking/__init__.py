"""The terminal client behind `realtime-actors talk`: what it says, hears, measures and shows."""
