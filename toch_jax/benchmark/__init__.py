"""The benchmark: methods (methods/) scored on perturbed clips, with tables and plots."""
