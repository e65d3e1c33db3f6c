"""``python -m artifactnet``."""

from artifactnet.pipeline.cli.main import main

if __name__ == "__main__":
    main()
