"""A driver of jobline with the standard library alone."""
import collections, itertools, json, subprocess, tempfile


class Jobline:
    def __init__(self, *flags):
        self.stderr = tempfile.TemporaryFile("w+", encoding="utf-8")  # a pipe would have to be read
        self.process = subprocess.Popen(["jobline", "serve", *flags], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.stderr, encoding="utf-8", bufsize=1)
        self.numbers = itertools.count(1)
        self.seq = 0  # the highest that was seen
        self.seen = collections.defaultdict(list)  # the notifications of each task or subscription, by its id

    def read(self):
        line = self.process.stdout.readline()
        if not line:  # the server has ended, and says why in its last line
            code = self.process.wait()
            self.stderr.seek(0)
            raise EOFError(f"jobline ended with exit code {code}: {''.join(self.stderr.readlines()[-1:]).strip()}")
        message = json.loads(line)
        if "method" in message:
            params = message["params"]
            self.seq = max(self.seq, params["seq"])
            self.seen[params.get("id") or params["subscription"]].append((message["method"].split("/")[1], params))
        return message

    def call(self, method, **params):
        number = next(self.numbers)
        try:
            self.process.stdin.write(json.dumps(
                {"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n")
        except BrokenPipeError:
            pass  # read tells more
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
