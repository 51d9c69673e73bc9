"""Runs tasks on jobline."""
import uuid
from jobline import Jobline

jobline = Jobline()

nap = str(uuid.uuid4())  # an id of our own makes it safe to submit again
for _ in range(2):
    task = jobline.call("submit", id=nap, type="sleep", input={"durationMs": 50, "progressEveryMs": 10})
    print("submitted sleep, known before:", str(task.get("existing", False)).lower())
jobline.call("wait", ids=[nap])
print("sleep", jobline.story(nap))

echo = jobline.call("submit", type="exec", input={"argv": ["echo", "héllo ✓"]},
                    events=["started", "progress", "output", "finished"])["id"]
jobline.call("wait", ids=[echo])
print("exec wrote", "".join(p["data"] for name, p in jobline.seen[echo] if name == "output").strip())
print("exec", jobline.story(echo))

try:
    jobline.call("submit", type="slep")
except RuntimeError as failure:
    error = failure.args[0]
    print("error", error["code"], error["data"]["kind"], "retryable:", str(error["data"]["retryable"]).lower())

long = jobline.call("submit", type="exec", input={"argv": ["sleep", "600"]})["id"]
jobline.until(long, "started")
print("cancel:", jobline.call("cancel", id=long, reason="enough")["outcome"])

tasks = jobline.call("wait", ids=[nap, echo, long])["tasks"]
print("exec", jobline.story(long))
print("all:", *(task["state"] for task in tasks))

print("shutdown, left:", jobline.call("shutdown")["left"])
print("exit", jobline.process.wait())
