"""`python -m usmt`."""

from usmt.cli.main import run

run()
