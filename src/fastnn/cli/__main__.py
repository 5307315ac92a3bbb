"""python -m fastnn.cli: the command `fastnn` where the script is not on the path."""

from fastnn.cli.group import main

main(prog_name="fastnn")
