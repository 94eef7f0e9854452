"""What the lab says when it cannot go on."""


class LabError(RuntimeError):
    """A failure with its place and its remedy; the command line prints both and no traceback."""

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(f"{what}\nremedy: {remedy}" if remedy else what)
        self.what = what
        self.remedy = remedy
