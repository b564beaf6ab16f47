"""`python -m realtime_actors` is `realtime-actors`."""

from realtime_actors.cli import main

if __name__ == "__main__":
    main()
