"""One module for each provider; nothing else in the library imports them."""
