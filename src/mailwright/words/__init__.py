"""Floor 0: the words of the house.

Values that everybody above speaks in: an address, an envelope, a server, a reply, a receipt, an
error. They hold no connection and touch nothing outside; each can be built in a test in one line.
"""
