// The queue, as this window sees it: one connection, made when it is first needed and
// made again where it is lost, and what the window remembers from one session to the next.
import * as vscode from 'vscode';
import type { Task } from '../../../../schema/jobline';
import { Connection, type Heard, Lost, type Method, type Params, Refused, type Result } from './connection';
import { settings } from './program';

const protocol = '1'; // the version that this extension speaks
const mostPause = 30_000; // between two attempts to connect, in milliseconds

/** What the window remembers: its tasks that had not ended. */
interface Memory { open: string[] }

export class Queue implements vscode.Disposable {
  private readonly heard = new vscode.EventEmitter<Heard>();
  /** Events of tasks, in order. */
  readonly onEvent = this.heard.event;
  private readonly changed = new vscode.EventEmitter<void>();
  /** A connection was made or lost. */
  readonly onConnection = this.changed.event;
  private readonly finished = new vscode.EventEmitter<Task>();
  /** A task of this window has ended, also while there was no connection. */
  readonly onFinished = this.finished.event;
  private readonly finishedAway = new vscode.EventEmitter<Task[]>();
  /** What became of the window's tasks between its sessions. */
  readonly onFinishedAway = this.finishedAway.event;
  /** Why there is no connection, if it was lost. */
  lost: Lost | undefined;
  /** The tasks that this window has submitted and that have not ended, with those of its earlier sessions. */
  readonly mine: Set<string>;
  private readonly earlier: Set<string>; // those of the earlier sessions
  private connection: Promise<Connection> | undefined;
  private retry: NodeJS.Timeout | undefined;
  private pause = 0;
  private down = false; // the server was told to shut down: then only a command of the user starts another
  private disposed = false;

  constructor(private readonly memory: vscode.Memento) {
    const { open } = memory.get<Memory>(this.key) ?? { open: [] };
    this.mine = new Set(open);
    this.earlier = new Set(open);
    if (open.length > 0) this.connect().catch(() => undefined); // the status bar shows it
  }

  /** Sends a request. It can be sent twice, since what it changes is the same the second time. */
  async call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
    try {
      return await (await this.connect()).request(method, params);
    } catch (error) {
      if (!(error instanceof Lost) || this.disposed) throw error;
      return (await this.connect()).request(method, params);
    }
  }

  connect(): Promise<Connection> {
    if (this.disposed) return Promise.reject(new Lost('this window is closing'));
    if (this.down && this.lost && !this.connection) return Promise.reject(this.lost);
    return this.connection ??= this.open();
  }

  /** Lets the next connection start a server, also where one was told to shut down. */
  byUser(): void { this.down = false; }

  /** Notes a task of this window at once, so that it is found again whatever happens. */
  async note(id: string): Promise<void> {
    this.mine.add(id);
    await this.remember();
  }

  /** Tells of the end of a task, once. */
  async over(task: Task): Promise<void> {
    if (!this.mine.delete(task.id)) return;
    this.finished.fire(task);
    await this.remember();
  }

  async shutdown(): Promise<void> {
    this.dispose();
    const connection = await this.connection?.catch(() => undefined);
    await Promise.all([connection?.close(), this.remember()]);
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.retry);
  }

  private async open(): Promise<Connection> {
    clearTimeout(this.retry);
    const { program, args, cwd } = settings();
    const connection = new Connection(program, this.down ? ['--no-start', ...args] : args, cwd, (event) => this.hear(event), (why) => this.ended(why));
    try {
      const server = await connection.request('initialize', { clientInfo: { name: 'vscode', version: vscode.version }, protocolVersion: protocol });
      if (server.protocolVersion.split('.')[0] !== protocol) {
        throw new Lost(`the server speaks version ${server.protocolVersion} of the protocol, and this extension ${protocol}: update the older one`);
      }
      if (!server.capabilities.shared) throw new Lost('this server is not shared: set jobline.args so that attach finds one that is');
      await connection.request('subscribe', { events: ['started', 'progress', 'finished'] });
    } catch (error) {
      void connection.close();
      throw error instanceof Refused ? new Lost(`${error.message}: install the same version of jobline everywhere`) : error;
    }
    this.lost = undefined;
    this.down = false;
    this.pause = 0;
    this.changed.fire();
    void this.catchUp(connection).catch(() => undefined); // the next connection does it
    return connection;
  }

  /** Tells which tasks of this window have ended while there was no connection. */
  private async catchUp(connection: Connection): Promise<void> {
    const away: Task[] = [];
    for (const id of [...this.mine]) {
      try {
        const task = await connection.request('status', { id });
        if (!task.finishedAt) continue;
        if (this.earlier.has(id) && this.mine.delete(id)) away.push(task);
        await this.over(task);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        if (this.earlier.has(id)) this.mine.delete(id); // it is no longer kept
      }
    }
    this.earlier.clear();
    if (away.length > 0) this.finishedAway.fire(away);
    await this.remember();
  }

  private ended(why: Lost): void {
    this.connection = undefined;
    if (this.disposed) return;
    if (!this.down || !this.lost) {
      this.lost = this.down ? new Lost(`${why.message}; the next command starts another`) : why;
      this.changed.fire();
    }
    this.pause = Math.min(Math.max(1000, this.pause * 2), mostPause);
    this.retry = setTimeout(() => (this.connection ??= this.open()).catch(() => undefined), this.pause);
  }

  private hear(event: Heard): void {
    if (event.method === 'executor/shuttingDown') this.down = true;
    this.heard.fire(event);
    if (event.method === 'task/finished') void this.over(event.params);
  }

  private get key(): string { return 'jobline ' + settings().args.join(' '); }

  private async remember(): Promise<void> {
    await this.memory.update(this.key, { open: [...this.mine] } satisfies Memory);
  }
}
