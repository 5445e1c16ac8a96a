"""Floor 2: the conversation, as plans over a `Session`.

`wire` makes and reads octets; `session` holds what is known of a connection and says one command at a time;
`opening`, `transaction` and `receiving` compose these into a whole talk.
"""
