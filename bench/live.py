"""What following costs and how soon it is: latency from the queue, CPU when idle, memory over a long input.

    python -m bench.live

The pipeline runs in a process of its own and reads a queue of moto's server, which runs in this one.
"""

import argparse
import json
import logging
import multiprocessing
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from bench import trail
from tests.delivery.worker import work

TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=300, help="one a time, for the latency")
    parser.add_argument("--idle", type=float, default=30.0, help="seconds")
    parser.add_argument("--long", type=int, default=600, help="files of 1000 records for the memory")
    arguments = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with tempfile.TemporaryDirectory(prefix="tfdrift-bench-") as folder:
            queue(arguments, Path(folder), f"http://{host}:{port}")
            memory(arguments, Path(folder))
    finally:
        server.stop()


def queue(arguments: argparse.Namespace, folder: Path, url: str) -> None:
    client = boto3.client("sqs", region_name=trail.REGION, endpoint_url=url)
    address = client.create_queue(QueueName="trail")["QueueUrl"]
    (folder / "state.tfstate").write_bytes(trail.state())
    output = folder / "events"
    output.touch()
    process = _start(folder, output, {"aws": {"region": trail.REGION, "endpoint_url": url}, "sources": ["sqs://trail"]})

    waits: list[float] = []
    for number in range(-5, arguments.messages):  # the first few warm up
        lines = output.read_bytes().count(b"\n")
        body = json.dumps({"detail-type": "AWS API Call via CloudTrail", "detail": _drift(number)})
        begun = time.monotonic()
        client.send_message(QueueUrl=address, MessageBody=body)
        while output.read_bytes().count(b"\n") == lines:
            time.sleep(0.002)
        if number >= 0:
            waits.append(time.monotonic() - begun)
        time.sleep(0.05)
    waits.sort()
    shown = ", ".join(f"{part} % {waits[min(len(waits) - 1, len(waits) * part // 100)]:.2f} s" for part in (50, 90, 99))
    print(f"from the queue to the sink, {len(waits)} messages: {shown}")

    time.sleep(2)
    before, begun = _cpu(process.pid), time.monotonic()
    time.sleep(arguments.idle)
    used = (_cpu(process.pid) - before) / (time.monotonic() - begun)
    print(f"CPU when idle: {used:.2%} of one core; memory {_memory(process.pid):.0f} MB")
    process.terminate()
    process.join()


def memory(arguments: argparse.Namespace, folder: Path) -> None:
    """One file over and over through a followed directory: ids differ, so that every record is new."""
    inbox = folder / "inbox"
    inbox.mkdir()
    output = folder / "events-long"
    output.touch()
    process = _start(folder, output, {"sources": [f"file://{inbox}?follow=true"]})
    marks: list[str] = []
    for number, document in enumerate(trail.documents(arguments.long, 1000, seed=2)):
        (folder / "part").write_bytes(document)
        (folder / "part").rename(inbox / f"{number:06}.json")
        if number >= 20:
            (inbox / f"{number - 20:06}.json").unlink(missing_ok=True)
        if number % (arguments.long // 10) == 0:
            marks.append(f"{_memory(process.pid):.0f}")
        time.sleep(0.02)
    time.sleep(3)
    marks.append(f"{_memory(process.pid):.0f}")
    print(f"memory over {arguments.long * 1000:,} records, MB: {' '.join(marks)}")
    process.terminate()
    process.join()


def _start(folder: Path, output: Path, more: dict[str, Any]) -> multiprocessing.Process:
    settings = {"state": [str(folder / "state.tfstate")], "data_dir": str(folder / output.name) + ".d", **more}
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=work, args=(settings | {"apply_wait": 0, "coalesce": False}, str(output)))
    process.start()
    time.sleep(5)
    return process  # type: ignore[return-value]  # the same but for how it was started


def _drift(number: int) -> dict[str, Any]:
    chance = random.Random(number + 10)
    return trail.record(0, chance) | {
        "userIdentity": trail.person(chance),
        "eventSource": "ec2.amazonaws.com",
        "eventName": "ModifyInstanceAttribute",
        "readOnly": False,
        "userAgent": trail.PERSON,
        "requestParameters": {
            "instanceId": trail.instance(number % trail.INSTANCES),
            "instanceType": {"value": f"t3.{number}"},
        },
    }


def _cpu(process: int | None) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _memory(process: int | None) -> float:
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
