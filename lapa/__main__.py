"""`python -m lapa` is the command `lapa`, and a step that `side_by_side` begins."""

from lapa.cli import main
from lapa.side_by_side import end_with_runner

end_with_runner()
main()
