"""Runs tasks on jobline with the standard library alone."""
import collections, itertools, json, subprocess, uuid


class Jobline:
    def __init__(self):
        self.process = subprocess.Popen(
            ["jobline", "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", bufsize=1)
        self.numbers = itertools.count(1)
        self.seen = collections.defaultdict(list)  # the notifications of each task, by its id

    def read(self):
        message = json.loads(self.process.stdout.readline())
        if "method" in message:
            self.seen[message["params"]["id"]].append((message["method"].removeprefix("task/"), message["params"]))
        return message

    def call(self, method, **params):
        number = next(self.numbers)
        self.process.stdin.write(json.dumps(
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n")
        while (message := self.read()).get("id") != number:
            pass
        if "error" in message:
            raise RuntimeError(message["error"])
        return message["result"]

    def until(self, task, event):
        while event not in dict(self.seen[task]):
            self.read()

    def story(self, task):
        names = dict(self.seen[task])  # the last of each name, in the order of the first
        return f"{names['finished']['state']} after {' '.join(names)}"


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
