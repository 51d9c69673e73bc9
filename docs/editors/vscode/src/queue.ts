// The queue, as this window sees it: one connection, made when it is first needed and
// made again where it is lost, and what the window remembers from one session to the next.
import * as vscode from 'vscode';
import type { Task } from '../../../../schema/jobline';
import { Connection, type Heard, Lost, type Method, type Params, Refused, type Result } from './connection';
import { settings } from './program';

const protocol = '1'; // the version that this extension speaks
const mostPause = 30_000; // between two attempts to connect, in milliseconds
const saveEvery = 5_000; // how often what is remembered is written where only the seq has changed

/** What the window remembers: the newest event that it has seen, and its tasks that had not ended. */
interface Memory { seq?: number; open: string[] }

export class Queue implements vscode.Disposable {
  private readonly heard = new vscode.EventEmitter<Heard>();
  /** Events of tasks, in order. */
  readonly onEvent = this.heard.event;
  private readonly changed = new vscode.EventEmitter<void>();
  /** A connection was made or lost. */
  readonly onConnection = this.changed.event;
  private readonly finishedAway = new vscode.EventEmitter<Task[]>();
  /** What became of the window's tasks between its sessions. */
  readonly onFinishedAway = this.finishedAway.event;
  /** Why there is no connection, if it was lost. */
  lost: Lost | undefined;
  /** The tasks that this window has submitted and that have not ended, with those of its earlier sessions. */
  readonly mine: Set<string>;
  private seq: number | undefined;
  private connection: Promise<Connection> | undefined;
  private retry: NodeJS.Timeout | undefined;
  private pause = 0;
  private save: NodeJS.Timeout | undefined;
  private away: Task[] | undefined = []; // until the past was told for the first time
  private down = false; // the server was told to shut down: then only a command of the user starts another
  private disposed = false;

  constructor(private readonly memory: vscode.Memento) {
    const remembered = this.remembered();
    this.mine = new Set(remembered.open);
    this.seq = remembered.seq;
    if (this.mine.size > 0) this.connect().catch(() => undefined); // the status bar shows it
  }

  /** Sends a request. It can be sent twice: every submit has an id, and the rest changes nothing the second time. */
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
    clearTimeout(this.retry);
    return this.connection ??= this.open();
  }

  /** Lets the next connection start a server, also where one was told to shut down. */
  byUser(): void { this.down = false; }

  /** Notes a task of this window at once, so that it is found again whatever happens. */
  async note(id: string): Promise<void> {
    this.mine.add(id);
    await this.remember();
  }

  async shutdown(): Promise<void> {
    if (this.disposed) return;
    this.dispose();
    const connection = await this.connection?.catch(() => undefined);
    await Promise.all([connection?.close(), this.remember()]);
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.retry);
    clearTimeout(this.save);
  }

  private async open(): Promise<Connection> {
    const { program, args, cwd } = settings();
    const connection = new Connection(program, this.down ? ['--no-start', ...args] : args, cwd);
    connection.heard = (event) => this.hear(event);
    void connection.ended.then((why) => this.ended(why));
    try {
      const server = await connection.request('initialize', { clientInfo: { name: 'vscode', version: vscode.version }, protocolVersion: protocol });
      if (server.protocolVersion.split('.')[0] !== protocol) throw new Lost(`the server speaks version ${server.protocolVersion} of the protocol, and this extension ${protocol}: update the older one`);
      if (!server.capabilities.shared) throw new Lost('this server is not shared: set jobline.args so that attach finds one that is');
      await this.subscribe(connection, this.seq);
    } catch (error) {
      void connection.close();
      throw error instanceof Refused ? new Lost(`${error.message}: install the same version of jobline everywhere`) : error;
    }
    this.lost = undefined;
    this.down = false;
    this.pause = 0;
    this.changed.fire();
    return connection;
  }

  /** Follows all tasks, from the newest event that was seen, or else from the oldest that is kept. */
  private async subscribe(connection: Connection, after: number | undefined): Promise<void> {
    this.seq = after;
    try {
      const reply = await connection.request('subscribe', { after, events: ['started', 'progress', 'finished'] });
      if (after === undefined) this.told(reply.seq);
    } catch (error) {
      if (!(error instanceof Refused) || after === undefined) throw error;
      await this.subscribe(connection, error.data.oldest); // undefined where the store is another one
    }
  }

  private ended(why: Lost): void {
    this.connection = undefined;
    const known = this.down && this.lost !== undefined;
    if (!known) this.lost = this.down ? new Lost(`${why.message}; the next command starts another`) : why;
    if (this.disposed) return;
    if (!known) this.changed.fire();
    this.pause = Math.min(Math.max(1000, this.pause * 2), mostPause);
    this.retry = setTimeout(() => (this.connection ??= this.open()).catch(() => undefined), this.pause);
  }

  private hear(event: Heard): void {
    if (event.method === 'executor/shuttingDown') {
      this.down = true;
    } else if (event.method === 'subscription/replayed') {
      this.told(event.params.seq);
    } else if ('seq' in event.params && !this.away) {
      this.seq = Math.max(this.seq ?? 0, event.params.seq);
      this.save ??= setTimeout(() => void this.remember(), saveEvery);
    }
    this.heard.fire(event);
    if (event.method === 'task/finished' && this.mine.delete(event.params.id)) {
      this.away?.push(event.params);
      void this.remember();
    }
  }

  /** Everything up to seq was told. */
  private told(seq: number): void {
    this.seq = Math.max(this.seq ?? 0, seq);
    const away = this.away;
    this.away = undefined;
    if (away && away.length > 0) this.finishedAway.fire(away);
    if (away && this.mine.size > 0) void this.forget().catch(() => undefined); // the next session does it
  }

  /** Forgets the tasks of earlier sessions whose end was not told, since they are no longer kept. */
  private async forget(): Promise<void> {
    const earlier = [...this.mine];
    const { tasks } = await this.call('list', { states: ['queued', 'running'], limit: 1000 });
    const open = new Set(tasks.map((task) => task.id));
    for (const id of earlier) if (!open.has(id)) this.mine.delete(id);
    await this.remember();
  }

  private get key(): string { return 'jobline ' + settings().args.join(' '); }

  private remembered(): Memory { return this.memory.get<Memory>(this.key) ?? { open: [] }; }

  private async remember(): Promise<void> {
    clearTimeout(this.save);
    this.save = undefined;
    await this.memory.update(this.key, { seq: this.seq, open: [...this.mine] } satisfies Memory);
  }
}
