"""UniPi's half that imagines: picture + words → the pictures that follow; inverse dynamics makes them a robot's actions."""
