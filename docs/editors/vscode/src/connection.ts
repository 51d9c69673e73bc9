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
export class Refused extends Error {}

/** The connection has ended, or there was none. The message names the cure. */
export class Lost extends Error {}

interface Reply { id: number; result?: unknown; error?: { message: string; data: ErrorData } }
interface Waiting { resolve(result: unknown): void; reject(error: Error): void }

export class Connection {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;
  private unfinished = ''; // the beginning of a line
  private said = ''; // what the program has said last on stderr: why it ends
  private lost: Lost | undefined;

  /** heard is called for each notification, in order, and ended once the connection has ended. */
  constructor(private readonly program: string, args: string[], cwd: string | undefined, private readonly heard: (event: Heard) => void, private readonly ended: (why: Lost) => void) {
    this.child = spawn(program, ['attach', ...args], { cwd });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => { this.said = (this.said + text).slice(-4096); });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => this.read(text));
    this.child.stdin.on('error', () => undefined); // the end of the process tells more
    this.child.on('error', (error: NodeJS.ErrnoException) => this.end(this.cureOfStart(error)));
    this.child.on('close', () => this.end(this.cureOfEnd()));
  }

  request<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
    if (this.lost) return Promise.reject(this.lost);
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      this.child.stdin.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }) + '\n');
    });
  }

  /** Ends the connection; the tasks go on. It resolves when the process has ended. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.child.once('close', resolve).once('error', resolve));
    await this.request('shutdown', {}).catch(() => undefined); // the process ends all the same
    this.child.stdin.end();
    if (this.child.exitCode === null && this.child.signalCode === null) await closed;
  }

  private end(why: string): void {
    if (this.lost) return;
    this.lost = new Lost(why);
    for (const request of this.waiting.values()) request.reject(this.lost);
    this.child.kill();
    this.ended(this.lost);
  }

  private read(text: string): void {
    const lines = (this.unfinished + text).split('\n');
    this.unfinished = lines.pop() ?? '';
    for (const line of lines) if (!this.lost) this.take(line);
  }

  private take(line: string): void {
    const message = parsed(line);
    if (!message) {
      this.end(`the program writes what is no message of jobline (${JSON.stringify(line.slice(0, 80))}): set jobline.path to the file of jobline`);
    } else if ('method' in message) {
      this.heard(message);
    } else {
      const request = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      if (message.error) request?.reject(new Refused(message.error.message));
      else request?.resolve(message.result);
    }
  }

  private cureOfStart({ code }: NodeJS.ErrnoException): string {
    if (code === 'ENOENT') return `there is no ${this.program}: install jobline, or set jobline.path to its file`;
    return `${this.program} cannot be started (${code}): set jobline.path to the file of jobline`;
  }

  private cureOfEnd(): string {
    const last = this.said.trim().split('\n').pop() ?? '';
    if (/unknown (command|flag)/.test(this.said)) return `this jobline is too old for the extension (${last}): install a newer one`;
    return last.replace(/^jobline: /, '') || 'the connection to jobline has ended';
  }
}

/** The message that a line is, if it is one. */
function parsed(line: string): Heard | Reply | undefined {
  try {
    const message: unknown = JSON.parse(line);
    return message instanceof Object ? message as Heard | Reply : undefined;
  } catch {
    return undefined;
  }
}
