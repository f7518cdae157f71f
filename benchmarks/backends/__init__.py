"""What models cost, alone and through the router."""
