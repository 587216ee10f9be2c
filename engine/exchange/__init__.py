"""The local exchange: matching, accounts, prices and the server that speaks Alpaca's protocols."""
