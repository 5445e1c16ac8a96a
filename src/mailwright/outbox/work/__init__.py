"""The worker: it claims what is due, has it sent, and writes what became of it.

===============  =====================================================================================================
it begins        `worker`: its servers, its limits, the signals that end it; `working`: the program that it then is
whom it serves   `accounts`: which have mail, and whose server; `mending`: rows that nobody could claim any more
for an account   `office`: what is claimed, handed over, and made of the answers; `posting`: sending, many in flight;
                 `carrying`: from rows to messages, streamed from the store; `settling`: leases and results
it decides       `judging`: what a try means; `blaming`: whom a refusal is about; `retry`: when it is tried again;
                 `scheduling`: which rows are next; `pace`: how fast a way is; `limiting`: what all workers share. Pure,
                 but for the plans of the last
it tells         `telling`: an event for each log line; `reporting`: sums, and a sign of life
===============  =====================================================================================================
"""
