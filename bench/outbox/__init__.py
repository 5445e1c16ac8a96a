"""The outbox measured: how fast messages go in and out, beside procrastinate and Celery on Redis.

=============  =====================================================================
`acts`         what is timed, each in a fresh process: ``python -m bench.outbox.acts``
`peers`        the same rows through procrastinate and Celery
`places`       the databases: a file, a PostgreSQL server, a Redis server, on a disk
`measuring`    rounds and medians
`page`         docs/benchmarks/outbox.md and outbox.json
=============  =====================================================================
"""
