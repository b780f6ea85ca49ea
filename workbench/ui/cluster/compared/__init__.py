"""Jobs beside each other: what was asked for, what came of it, and where their code differs."""
