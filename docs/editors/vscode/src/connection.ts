// One connection to the queue: the process `jobline attach`, and the lines of JSON-RPC
// on its pipes. Lines need no library, so the extension has nothing to bundle.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { ErrorData, Methods, Notifications } from '../../../../schema/jobline';

export type Method = keyof Methods;
export type Params<M extends Method> = Methods[M]['params'];
export type Result<M extends Method> = Methods[M]['result'];
/** A notification, with its name and its params. */
export type Heard = { [N in keyof Notifications]: { method: N; params: Notifications[N] } }[keyof Notifications];

/** A request that the server has refused. */
export class Refused extends Error {
  constructor(message: string, readonly code: number, readonly data: ErrorData) { super(message); }
}

/** The connection has ended, or there was none. The message names the cure. */
export class Lost extends Error {}

interface Reply { id: number; result?: unknown; error?: { code: number; message: string; data: ErrorData } }
interface Waiting { resolve(result: unknown): void; reject(error: Error): void }

export class Connection {
  /** Is called for each notification, in the order in which they came. */
  heard: (event: Heard) => void = () => undefined;
  /** Resolves with the reason once the connection has ended. */
  readonly ended: Promise<Lost>;
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;
  private unfinished: string[] = []; // the pieces of a line whose end has not come
  private end: Lost | undefined;
  private stop: (why: string) => void = () => undefined; // ends the connection

  constructor(program: string, args: readonly string[], cwd: string | undefined) {
    this.child = spawn(program, ['attach', ...args], { cwd });
    let said = ''; // what the program has said last on stderr: why it ends
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => { said = (said + text).slice(-4096); });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => this.read(text));
    this.child.stdin.on('error', () => undefined); // the end of the process tells more
    this.ended = new Promise((resolve) => {
      const end = (why: string) => {
        this.end ??= new Lost(why);
        for (const request of this.waiting.values()) request.reject(this.end);
        this.waiting.clear();
        resolve(this.end);
      };
      this.stop = end;
      this.child.on('error', (error: NodeJS.ErrnoException) => end(cureOfStart(program, error)));
      this.child.on('close', () => end(cureOfEnd(said)));
    });
  }

  request<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
    if (this.end) return Promise.reject(this.end);
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      this.child.stdin.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }) + '\n');
    });
  }

  /** Ends the connection; the tasks go on. It resolves when the process has ended. */
  async close(): Promise<void> {
    await this.request('shutdown', {}).catch(() => undefined); // the process ends all the same
    this.child.stdin.end();
    await this.ended;
  }

  private read(text: string): void {
    const lines = text.split('\n');
    if (lines.length === 1) {
      this.unfinished.push(text);
      return;
    }
    lines[0] = this.unfinished.join('') + lines[0];
    this.unfinished = [lines.pop() ?? ''];
    for (const line of lines) if (!this.end) this.take(line);
  }

  private take(line: string): void {
    const message = parsed(line);
    if (!message) {
      this.stop(`the program writes what is no message of jobline (${JSON.stringify(line.slice(0, 80))}): set jobline.path to the file of jobline`);
      this.child.kill();
      return;
    }
    if ('method' in message) {
      this.heard(message);
      return;
    }
    const { id, result, error } = message;
    const request = this.waiting.get(id);
    this.waiting.delete(id);
    if (error) request?.reject(new Refused(error.message, error.code, error.data));
    else request?.resolve(result);
  }
}

/** The message that a line is, if it is one. */
function parsed(line: string): Heard | Reply | undefined {
  try {
    const message: unknown = JSON.parse(line);
    return typeof message === 'object' && message !== null ? message as Heard | Reply : undefined;
  } catch {
    return undefined;
  }
}

function cureOfStart(program: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return `there is no ${program}: install jobline, or set jobline.path to its file`;
  return `${program} cannot be started (${error.code}): set jobline.path to the file of jobline`;
}

function cureOfEnd(said: string): string {
  const last = said.trim().split('\n').pop() ?? '';
  if (/unknown (command|flag)/.test(said)) return `this jobline is too old for the extension (${last}): install a newer one`;
  return last.replace(/^jobline: /, '') || 'the connection to jobline has ended';
}
