"""Floor 5, the counter: from settings and a message to a receipt. Where to send is chosen here from arguments,
environment and files (`settings`), passwords are fetched when a server is really used, and connections are
kept and reused; the conversation itself is a floor below.
"""
