"""One module for each provider; nothing that sends, answers or keeps imports them: an application hands one in."""
