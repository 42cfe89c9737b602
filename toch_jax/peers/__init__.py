"""Other people's methods, for comparison: TOCH's own fit, a ContactOpt-like and a RefineNet-like static refiner."""
