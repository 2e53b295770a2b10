"""Worker processes end with the process that started them, however it ends."""

import os
import signal
import subprocess
import sys
import time

SCRIPT = """
import os, sys, time
from physnn.experiments.pool import processes

def told(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(120)

if __name__ == "__main__":
    with processes(2, 2) as pool:
        list(pool.map(told, [sys.argv[1]] * 2))
"""


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        time.sleep(0.1)
    return condition()


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script, folder = tmp_path / "script.py", tmp_path / "pids"
    script.write_text(SCRIPT)
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(folder)])
    try:
        assert until(lambda: len(os.listdir(folder)) == 2)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    workers = [int(name) for name in os.listdir(folder)]
    assert until(lambda: not any(alive(pid) for pid in workers), 20.0)
