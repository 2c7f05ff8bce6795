"""What the end-to-end tests stand on: an agent, a scripted server, clients, and a way to compare them."""
