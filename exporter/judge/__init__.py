"""Pure judgement: one object and its neighbours in, facts and problems out. No clock, no network, no metrics."""
