"""Entry point of the Flex Template: parameters in, the audit's job out.

Enters: ``--name=value`` for every parameter of ``metadata.json``, and the launcher's own
flags. Leaves: the job, described for Dataflow. A bad parameter fails here, in one line, before
a worker is started.
"""

import sys

from artifactnet.pipeline.cli.main import main

OPTIONS = {
    "output": "--output",
    "segments": "--segments",
    "codecs": "--codecs",
    "accelerator": "--accelerator",
    "workerRam": "--worker-ram",
    "failOnErrors": "--fail-on-errors",
}


def command_line(arguments: list[str]) -> list[str]:
    """Arguments of ``artifactnet`` for those of the template.

    Raises:
      SystemExit: a parameter that must be there is not.
    """
    catalogue, ours, beams = "", [], []
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        if name == "catalogue":
            catalogue = value
        elif name in OPTIONS:
            ours += [OPTIONS[name], value] if value else []
        else:
            beams.append(argument)
    if not catalogue or "--output" not in ours:
        sys.exit("error: the template needs the parameters catalogue and output")
    runner = [] if any(one.startswith("--runner") for one in beams) else ["--runner=DataflowRunner"]
    return ["audit", catalogue, *ours, *runner, *beams]


if __name__ == "__main__":
    sys.argv[1:] = command_line(sys.argv[1:])
    main()
