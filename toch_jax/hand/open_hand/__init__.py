"""The open hand, the hand model of this package; scripts/open_hand/make_open_hand.py makes it."""
