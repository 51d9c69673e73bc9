"""Loses the server, starts another on the same file, and hears what became of the tasks."""
import sys
from jobline import Jobline

store = sys.argv[1]

first = Jobline("--store", store, "--limit", "1")  # one at a time
noop = first.call("submit", type="noop")["id"]
first.until(noop, "finished")
long = first.call("submit", type="exec", input={"argv": ["sleep", "600"]})["id"]
nap = first.call("submit", type="sleep", input={"durationMs": 50})["id"]
first.until(long, "started")
first.process.kill()
print("killed with", first.process.wait())

second = Jobline("--store", store)
subscription = second.call("subscribe", after=first.seq)
print("something happened meanwhile:", str(subscription["gap"]).lower())
second.until(subscription["subscription"], "replayed")
for task in long, nap:
    second.until(task, "finished")
    end = dict(second.seen[task])["finished"]
    print(end["type"], end["error"]["kind"] if "error" in end else end["state"])
print("told again of noop:", str(noop in second.seen).lower())

print("shutdown, left:", second.call("shutdown")["left"])
print("exit", second.process.wait())
