"""Floor 3: what is known of mail providers, and how to find the server of a domain.

`data/providers.json` holds the facts, each row with its certainty and sources; `catalog` looks things up in them and
gives the values of `provider`. `lookup` is the plan that finds the server of any domain, `autoconfig` reads one of
its answers, `found` is what it gives. `preflight` and `placeholders` see mistakes before anything is connected,
`telling` puts it all into words. Nothing here touches the network: `lookups` is the interface for who does.
"""
