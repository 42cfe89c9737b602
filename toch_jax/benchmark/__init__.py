"""Every method on perturbed clips, scored; tables and plots. methods/ has the methods."""
