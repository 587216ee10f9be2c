"""Where the exchange's market comes from: a seeded simulation, or a recording."""
