// What the compiler must refuse, and what it must see. It is compiled, not run.
import type { Failure, Message, Methods, Notification, Request, RPCError } from "./jobline.js";

// @ts-expect-error there is no such method
export const method: keyof Methods = "sumbit";
// @ts-expect-error there is no such member
export const unknown: Methods["submit"]["params"] = { type: "noop", inptu: {} };
// @ts-expect-error the type is missing
export const missing: Methods["submit"]["params"] = {};
// @ts-expect-error there is no such event
export const event: Methods["submit"]["params"] = { type: "noop", events: ["ended"] };
// @ts-expect-error params are by name
export const byPlace: Request<"status"> = { jsonrpc: "2.0", id: 1, method: "status", params: ["7"] };
export const request: Request<"status"> = { jsonrpc: "2.0", id: 1, method: "status", params: { id: "7" } };

export function methodTellsParams(n: Notification): number {
  switch (n.method) {
    case "task/started": return n.params.pid ?? n.params.attempt;
    case "task/progress": return n.params.progress;
    case "task/output": return n.params.data.length;
    case "task/retrying": return n.params.error?.exitCode ?? n.params.attempt;
    case "task/updated": return n.params.priority;
    case "task/finished": return n.params.error?.exitCode ?? n.params.seq;
    case "subscription/replayed": return n.params.missed?.through ?? 0;
    case "executor/shuttingDown": return n.params.mode.length;
  } // and there are no others, or it would end without a number
}

export function codeTellsKind(e: RPCError): "unknownType" | "queueFull" | undefined {
  if (e.code === 1002 || e.code === 1004) return e.data.kind;
  // @ts-expect-error here it may be any other kind
  return e.data.kind;
}

export const isFailure = (m: Message): m is Failure => "error" in m;
