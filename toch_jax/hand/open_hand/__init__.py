"""The open hand: the hand model that comes with the package, and the script that makes it."""
