// Runs tasks on jobline with the types of jobline.d.ts and no library.
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { FinishedEvent, Message, Method, Methods, Notification, RPCError, UUID } from "./jobline.js"; // jobline.d.ts, beside this file

const server = spawn("jobline", ["serve"], { stdio: ["pipe", "pipe", "inherit"] });
const exit = new Promise<number | null>((resolve, reject) => server.on("error", reject).on("close", resolve));
const pending = new Map<unknown, { resolve: (result: any) => void; reject: (why: RPCError | Error) => void }>();

function call<M extends Method>(method: M, params: Methods[M]["params"]): Promise<Methods[M]["result"]> {
  return new Promise((resolve, reject) => {
    const id = `${method} ${Math.random()}`;
    pending.set(id, { resolve, reject });
    server.stdin.write(JSON.stringify({ jsonrpc: "2.0", id, method, params }) + "\n");
  });
}

let rest = "";
server.stdout.setEncoding("utf8").on("data", (text: string) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop()!;
  lines.forEach((line) => received(JSON.parse(line)));
});

function received(message: Message) {
  if ("method" in message) return notified(message);
  const request = pending.get(message.id);
  pending.delete(message.id);
  if ("error" in message) request?.reject(message.error);
  else request?.resolve(message.result);
}

// Where the server ends there is no reply; its last line on stderr says why.
const lost = (why: Error) => pending.forEach(({ reject }) => reject(why));
exit.then((code) => lost(new Error(`jobline has ended with exit code ${code}`)), lost);
server.stdin.on("error", () => {}); // of a server that has ended

// That is the client. What follows uses it.

const seen = new Map<UUID, Set<string>>();
const ends = new Map<UUID, FinishedEvent>();
let written = "";

function notified(n: Notification) {
  if (!("id" in n.params)) return; // it is of no task
  const events = seen.get(n.params.id) ?? new Set();
  seen.set(n.params.id, events.add(n.method.replace("task/", "")));
  if (n.method === "task/output") written += n.params.data; // UTF-8, or base64: n.params.encoding tells
  if (n.method === "task/finished") ends.set(n.params.id, n.params);
}

const told = (id: UUID) => `${ends.get(id)?.state} after ${[...(seen.get(id) ?? [])].join(" ")}`;

async function main() {
  // An id of our own makes it safe to submit again.
  const nap = { id: crypto.randomUUID(), type: "sleep", input: { durationMs: 50, progressEveryMs: 10 } };
  console.log("submitted sleep, known before:", (await call("submit", nap)).existing ?? false);
  console.log("submitted sleep, known before:", (await call("submit", nap)).existing ?? false);
  await call("wait", { ids: [nap.id] }); // task/finished comes before its reply
  console.log("sleep", told(nap.id));

  const echo = await call("submit", {
    type: "exec",
    input: { argv: ["echo", "héllo ✓"] },
    events: ["started", "output", "finished"],
  });
  await call("wait", { ids: [echo.id] });
  console.log("exec wrote", written.trim());
  console.log("exec", told(echo.id));

  await call("submit", { type: "slep" }).catch((e: RPCError) => {
    if (e.code === 1002) console.log("error", e.code, e.data.kind, "retryable:", e.data.retryable);
  });

  const long = await call("submit", { type: "exec", input: { argv: ["sleep", "600"] } });
  while (!seen.get(long.id)?.has("started")) await once(server.stdout, "data");
  console.log("cancel:", (await call("cancel", { id: long.id, reason: "enough" })).outcome);
  const all = await call("wait", { ids: [nap.id, echo.id, long.id] });
  console.log("exec", told(long.id));
  console.log("all:", ...all.tasks.map((task) => task.state));

  console.log("shutdown, left:", (await call("shutdown", {})).left);
  console.log("exit", await exit);
}

main().catch((e: RPCError | Error) => {
  console.error(e.message);
  process.exitCode = 1;
});
