"""Who owns what: positions by symbol and sleeve, and what a bot's signal asks to buy or sell."""
