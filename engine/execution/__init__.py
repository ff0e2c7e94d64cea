"""How a function runs fast: batched, traced, captured, compiled, and on which device."""
